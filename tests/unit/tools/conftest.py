"""A network to ask: the one that the tests of learning train."""

from tests.unit.learning.conftest import trained

__all__ = ["trained"]
