"""The C++ kernel: production."""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.fem.native.build import NotBuilt, build
from hpc_jobs.fem.native.library import load
from hpc_jobs.fem.native.simulation import simulate

__all__ = ["missing", "prepare", "simulate"]


def missing() -> str:
    """Never compiles: that is `prepare`'s, on a node where nobody waits for an array."""
    try:
        load()
    except (NotBuilt, OSError) as error:
        return str(error)
    return ""


def prepare(campaign: Campaign) -> str:
    """Compile the library for this type of machine, unless it is there; raises NotBuilt."""
    return f"library {build()}"
