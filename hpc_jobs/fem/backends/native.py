"""The C++ kernel: production."""

from importlib import import_module

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.phases import COMPILE, WATCH
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.native.build import NotBuilt, build
from hpc_jobs.fem.native.library import load
from hpc_jobs.fem.native.simulation import simulate as simulate_timed
from hpc_jobs.fem.record import Record, failed
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.fem.specimen.mesh import FloatArray

__all__ = ["missing", "prepare", "simulate"]


def missing() -> str:
    """Never compiles: that is `prepare`'s, on a node where nobody waits for an array."""
    try:
        load()
    except (NotBuilt, OSError) as error:
        return str(error)
    return ""


def prepare(campaign: Campaign) -> str:
    """Compile the library for this type of machine, unless it is there; raises NotBuilt.

    So is the flow curve, which later jobs ask for; what choosing points needs compiles meanwhile.
    """
    import_module("hpc_jobs.fem.materials.flow_stress")  # which compiles it and keeps it on disk

    with WATCH.spending(COMPILE):
        return f"library {build()}"


def simulate(parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
    """Run all virtual tests of one parameter point, at output times found where they are asked."""
    timed, reason = with_output_times(parameters, material, specimens)
    if reason:
        return failed("no_output_times", reason, specimens)
    return simulate_timed(parameters, material, timed)
