"""The solved round of the learning tests."""

from tests.unit.learning.conftest import campaign, run

__all__ = ["campaign", "run"]
