"""Fixtures of measurements."""

from tests.unit.bench import campaign, changed, demo, header, measurement

__all__ = ["campaign", "changed", "demo", "header", "measurement"]
