"""No module imports itself by way of others: imports in functions and for types alone count, too.

    PYTHONPATH=dags:. python -m tests.lint.import_circles

Names the first circle that is found, and exits with 1. (The contracts in pyproject.toml forbid
circles of rooms; this finds those of a package and what lies in it as well.)
"""

import graphlib
import sys
import tomllib
from pathlib import Path

import grimp

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def imported_by(module: str, graph: grimp.ImportGraph) -> set[str]:
    """What a module imports: `from a.b import c` runs a.b's `__init__` before the module a.b.c."""
    found = set(graph.find_modules_directly_imported_by(module))
    for imported in tuple(found):
        package = imported.rpartition(".")[0]
        lines = graph.get_import_details(importer=module, imported=imported)
        if any(line["line_contents"].startswith(f"from {package} import") for line in lines):
            found.add(package)
    return found - {module}


def first_circle(graph: grimp.ImportGraph) -> list[str]:
    """Modules of a circle, each imported by the one after it; empty where there is none."""
    imports = {module: imported_by(module, graph) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def main() -> None:
    """Look at the packages that import-linter's contracts are about, and at the tests."""
    packages = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["root_packages"]
    circle = first_circle(grimp.build_graph(*packages, "tests", cache_dir=None))
    if circle:
        sys.exit("a circle of imports: " + " is imported by ".join(circle))
    print(f"no circle of imports in {', '.join(packages)}, tests")


if __name__ == "__main__":
    main()
