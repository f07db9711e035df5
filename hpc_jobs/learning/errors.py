"""Errors of the learning wing."""

from hpc_jobs.contract.errors import HandedOver


class Diverged(Exception):
    """The loss is no longer a number."""


class Interrupted(HandedOver):
    """Training was told to stop and left a checkpoint; run it again to resume."""
