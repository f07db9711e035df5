"""Errors of the learning wing."""

from hpc_jobs.contract.errors import ContractError, HandedOver


class BadInput(ContractError):
    """Measurements that a network must not be asked about: wrong shape, not finite, no forces."""


class Diverged(Exception):
    """The loss is no longer a number."""


class Interrupted(HandedOver):
    """Training was told to stop and left a checkpoint; run it again to resume."""
