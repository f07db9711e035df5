"""The setup files in etc/, with their ${placeholders} filled."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

ETC = Path(__file__).parent / "etc"


def render(source: str, target: Path, values: Mapping[str, object], mode: int = 0o644) -> Path:
    """Write etc/<source> to `target`; KeyError where a placeholder has no value."""
    text = Template((ETC / source).read_text()).substitute(values)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=mode)
    target.chmod(mode)  # slurmdbd insists on 600 before it reads the file
    target.write_text(text)
    return target
