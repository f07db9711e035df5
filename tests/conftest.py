"""How the suite is spread over processes: `make test` runs it with two workers.

A file stays on one worker, so that its fixtures are made once; the stacks and the Slurm clusters,
each one fixture for a whole folder, stay on one worker too and are begun first: they wait more
than they compute, so the unit tests fill their pauses.
"""

import os
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Airflow settles on its home when it is first imported, which any test's module may do.
AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ.setdefault("AIRFLOW_HOME", AIRFLOW_HOME.name)
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

LONG = ("tests/integration/stack", "tests/browser", "tests/integration/slurm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(_group(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)


def _group(nodeid: str) -> str:
    return next((folder for folder in LONG if nodeid.startswith(folder)), nodeid.split("::")[0])


def _rank(group: str) -> int:
    return LONG.index(group) if group in LONG else len(LONG)
