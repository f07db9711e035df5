"""The readable numba kernels: what the others are checked against, and where none else works."""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.record import Record, failed
from hpc_jobs.fem.reference.simulation import simulate as simulate_timed
from hpc_jobs.fem.reference.warm import warm
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.fem.specimen.mesh import FloatArray

__all__ = ["missing", "prepare", "simulate"]


def missing() -> str:
    """Say nothing: it works wherever Python does."""
    return ""


def prepare(campaign: Campaign) -> str:
    """Fill the kernel cache, so that no array element compiles."""
    found = warm(campaign)
    return f"{found.kernels} kernels, {found.compiled} compiled"


def simulate(parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
    """Run all virtual tests of one parameter point, at output times found where they are asked."""
    timed, reason = with_output_times(parameters, material, specimens)
    if reason:
        return failed("no_output_times", reason, specimens)
    return simulate_timed(parameters, material, timed)
