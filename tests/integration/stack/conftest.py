"""One private stack for the module: real SSH, Airflow and MLflow in a temporary folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickstart.stack.layout import Layout
from quickstart.stack.supervisor import Stack
from tests.harness.stack_ports import claim_stack_ports

CHECKOUT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(7200))  # the first one waits for a whole campaign


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, float]]:
    root = tmp_path_factory.mktemp("stack")
    stack = Stack(Layout(root=root, checkout=CHECKOUT), start_timeout_s=900)
    stack.layout.make()
    claim_stack_ports(stack.layout)
    began = time.monotonic()
    try:
        stack.up()
        yield stack, time.monotonic() - began
    finally:
        stack.down()


@pytest.fixture(scope="module")
def stack(started: tuple[Stack, float]) -> Stack:
    return started[0]


@pytest.fixture(scope="module")
def first_start_s(started: tuple[Stack, float]) -> float:
    """How long the stack's first start took, on this machine as busy as it is."""
    return started[1]
