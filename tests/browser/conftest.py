"""One stack, and one window of a person who has logged in, for all tests of this folder.

With the environment variable SCREENSHOTS, a folder, every page that is passed is kept there as a
picture; with BROWSER_STACK, a folder, the stack lies there and goes on, for who changes a test.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quickstart.stack import airflow_settings, mlflow_settings
from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.ports import HOST
from quickstart.stack.supervisor import Stack
from tests.browser.chromium import PATIENCE_S, Browser, browser
from tests.browser.small_campaign import running_stack
from tests.harness.waiting import wait_until

LONGEST_S = 2400
"""Of a test: the first waits for a stack and a campaign, on a machine that has other work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture(scope="session")
def chromium() -> None:
    """Need Chromium: where it is missing CI fails, and a person is told what to do."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    if missing:
        words = f"missing: {', '.join(missing)}; run tests/install.sh browser as root"
        if "CI" in os.environ:
            raise OSError(words)
        pytest.skip(words)


@pytest.fixture(scope="session")
def stack(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    kept = os.environ.get("BROWSER_STACK", "")
    root = Path(kept) if kept else tmp_path_factory.mktemp("stack")
    with running_stack(root, keep=bool(kept)) as running:
        yield running


@pytest.fixture(scope="session")
def home(stack: Stack) -> str:
    """Airflow's address."""
    return airflow_settings.url(stack.ports)


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[AirflowApi]:
    with stack.api() as one:
        yield one


@pytest.fixture(scope="session")
def window(stack: Stack, home: str) -> Iterator[Browser]:
    """A window of a person who has logged in, in Airflow and in MLflow."""
    with browser() as one:
        secret = mlflow_settings.password(stack.layout)
        one.open(f"http://{mlflow_settings.USER}:{secret}@{HOST}:{stack.ports.mlflow}/")
        one.open(home)
        one.type("input[name=username]", airflow_settings.USER)
        one.type("input[name=password]", airflow_settings.password(stack.layout))
        one.press("Sign in")
        wait_until(lambda: "/login" not in one.address, PATIENCE_S, "logged in")
        yield one


@pytest.fixture
def keep(window: Browser) -> Callable[[str], None]:
    """Keep what the window shows as a picture of that name, where pictures are wanted."""

    def kept(name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            window.screenshot(Path(folder) / name)

    return kept
