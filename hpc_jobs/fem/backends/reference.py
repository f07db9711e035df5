"""The readable numba kernels: what the others are checked against, and where none else works."""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.fem.reference.warm import warm

__all__ = ["missing", "prepare", "simulate"]


def missing() -> str:
    """Say nothing: it works wherever Python does."""
    return ""


def prepare(campaign: Campaign) -> str:
    """Fill the kernel cache, so that no array element compiles."""
    found = warm(campaign)
    return f"{found.kernels} kernels, {found.compiled} compiled"
