"""The setup files in etc/ and docker/cluster/etc/, with their ${placeholders} filled."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

ETC = Path(__file__).parent / "etc"
SHARED = Path(__file__).parents[2] / "docker" / "cluster" / "etc"
"""What these clusters and those in containers have in common."""


def render(source: str, target: Path, values: Mapping[str, object], mode: int = 0o644) -> Path:
    """Write a setup file to `target`; KeyError where a placeholder has no value."""
    found = next(folder / source for folder in (ETC, SHARED) if (folder / source).exists())
    text = Template(found.read_text()).substitute(values)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=mode)
    target.chmod(mode)  # slurmdbd insists on 600 before it reads the file
    target.write_text(text)
    return target
