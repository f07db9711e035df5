"""Who solves a record: parameters and virtual tests in, a Record out."""

import logging
from pkgutil import resolve_name
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.errors import SolverMissing, SolverUnknown
from hpc_jobs.fem.record import Record

log = logging.getLogger(__name__)


class Backend(Protocol):
    """A module, or an object in one; deck.DeckSolver makes one of an external program.

    One that finds a sheet's own output times itself says so by FINDS_OUTPUT_TIMES = True; for all
    others they are found by the FEM (hpc_jobs.fem.scout).
    """

    def missing(self) -> str:
        """Why it cannot solve on this machine, with the remedy; "" if it can."""

    def prepare(self, campaign: Campaign) -> str:
        """Build or compile what it needs, once per code version; says what was done."""

    def simulate(
        self, parameters: NDArray[np.float64], material: Material, specimens: Specimens
    ) -> Record:
        """Run all virtual tests of one parameter point, in the order of material.parameters."""


# Names, for they are imported on demand: the reference brings a compiler along.
BACKENDS = {
    "native": "hpc_jobs.fem.backends.native",
    "reference": "hpc_jobs.fem.backends.reference",
    "calculix": "hpc_jobs.fem.backends.calculix:CPS8R",
    "calculix_cps4r": "hpc_jobs.fem.backends.calculix:CPS4R",
    "rehearsal": "hpc_jobs.fem.backends.rehearsal",
}


def load(solver: str) -> Backend:
    """Import a solver of the registry, or one named as package.module:OBJECT.

    Raises SolverUnknown if there is none of that name.
    """
    try:
        backend: Backend = resolve_name(BACKENDS.get(solver, solver))
    except (ImportError, AttributeError, ValueError) as error:
        raise SolverUnknown(
            f"solver '{solver}' cannot be imported: {error}; choose auto, {', '.join(BACKENDS)}, "
            "or install the package that holds yours where the simulations run"
        ) from None
    return backend


def finds_output_times(backend: Backend) -> bool:
    """Whether a solver is to be asked with output times that are not known yet."""
    return bool(getattr(backend, "FINDS_OUTPUT_TIMES", False))


def backend_of(solver: str) -> tuple[str, Backend]:
    """Find a campaign's solver by name; "auto" is the native one, or the reference with a notice.

    Raises SolverMissing where a named solver cannot work on this machine.
    """
    if solver != "auto":
        backend = load(solver)
        reason = backend.missing()
        if reason:
            raise SolverMissing(f"solver '{solver}': {reason}")
        return solver, backend
    reason = load("native").missing()
    if reason:
        log.warning("the reference solver serves, some 30 times slower: %s", reason)
    chosen = "reference" if reason else "native"
    return chosen, load(chosen)


def prepare(campaign: Campaign) -> tuple[str, str]:
    """Prepare a campaign's solver; where "auto" cannot have the native one, the reference.

    Returns its name and what was done. Raises NotBuilt or SolverMissing where a named solver
    cannot be had.
    """
    from hpc_jobs.fem.native.build import NotBuilt

    if campaign.solver == "auto":
        try:
            return "native", load("native").prepare(campaign)
        except NotBuilt as error:
            log.warning("%s", error)
            return "reference", load("reference").prepare(campaign)
    return campaign.solver, load(campaign.solver).prepare(campaign)
