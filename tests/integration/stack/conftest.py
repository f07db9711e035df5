"""One private stack for the module: real SSH, Airflow and MLflow in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quickstart.stack.layout import Layout
from quickstart.stack.supervisor import Stack

CHECKOUT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(2400))  # the first one waits for a whole campaign


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    stack = Stack(Layout(root=root, checkout=CHECKOUT))
    stack.up()
    yield stack
    stack.down()
