"""Who solves a record: parameters and virtual tests in, a Record out."""

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.errors import SolverMissing
from hpc_jobs.fem.record import Record

log = logging.getLogger(__name__)


class Backend(Protocol):
    """A module of this package."""

    def missing(self) -> str:
        """Why it cannot solve on this machine, with the remedy; "" if it can."""

    def prepare(self, campaign: Campaign) -> str:
        """Build or compile what it needs, once per code version; says what was done."""

    def simulate(
        self, parameters: NDArray[np.float64], material: Material, specimens: Specimens
    ) -> Record:
        """Run all virtual tests of one parameter point, in the order of material.parameters."""


def _module(name: str) -> Callable[[], Backend]:
    def load() -> Backend:
        backend: Backend = import_module(f"hpc_jobs.fem.backends.{name}")
        return backend

    return load


# Loaded on demand: the reference brings a compiler along.
BACKENDS: dict[str, Callable[[], Backend]] = {
    "native": _module("native"),
    "reference": _module("reference"),
}


def backend_of(solver: str) -> tuple[str, Backend]:
    """Find a campaign's solver by name; "auto" is the native one, or the reference with a notice.

    Raises SolverMissing where a named solver cannot work on this machine.
    """
    if solver != "auto":
        backend = BACKENDS[solver]()
        reason = backend.missing()
        if reason:
            raise SolverMissing(f"solver '{solver}': {reason}")
        return solver, backend
    reason = BACKENDS["native"]().missing()
    if reason:
        log.warning("the reference solver serves, some 30 times slower: %s", reason)
    chosen = "reference" if reason else "native"
    return chosen, BACKENDS[chosen]()


def prepare(campaign: Campaign) -> tuple[str, str]:
    """Prepare a campaign's solver; where "auto" cannot have the native one, the reference.

    Returns its name and what was done. Raises NotBuilt where a named solver cannot be had.
    """
    from hpc_jobs.fem.native.build import NotBuilt

    if campaign.solver == "auto":
        try:
            return "native", BACKENDS["native"]().prepare(campaign)
        except NotBuilt as error:
            log.warning("%s", error)
            return "reference", BACKENDS["reference"]().prepare(campaign)
    return campaign.solver, BACKENDS[campaign.solver]().prepare(campaign)
