"""Print what pyproject.toml asks for: the project's dependencies and those of the extras named."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
needs = list(project["dependencies"])
for extra in sys.argv[1:]:
    needs += project["optional-dependencies"][extra]
without = [need for need in needs if not need.startswith("torch==")]  # installed by its flavour
print("\n".join(without))
