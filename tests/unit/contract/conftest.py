from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def campaigns() -> Path:
    return CHECKOUT / "dags/campaigns"


@pytest.fixture
def clusters() -> Path:
    return CHECKOUT / "dags/clusters"
