"""How the suite is spread over processes: `make test` runs it with two workers.

A file stays on one worker, so that its fixtures are made once; the Slurm clusters and the stack,
which serve several files, stay on one worker each and are begun first: they wait more than they
compute, so the unit tests fill their pauses.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONG = ("integration/stack", "integration/slurm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _rank(_group(item)))


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(TESTS).as_posix()
    return next((folder for folder in LONG if file.startswith(folder)), file)


def _rank(group: str) -> int:
    return LONG.index(group) if group in LONG else len(LONG)
