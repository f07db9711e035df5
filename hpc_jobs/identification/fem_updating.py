"""Classical identification: the FEM itself in a least-squares fit, one measurement at a time.

The sum of squares is the one that the refinement starts from (identification.posterior), with
simulations in the surrogate's place: strains and forces in units of their noise, and the training
points as the prior. So both answer the same question, and their times can be compared.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.speedup import Updating
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.by_fem import answer_by_fem
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.outside import MOST_SIMULATIONS
from hpc_jobs.measurement.file import Measurement

STEP = 1e-3  # of a coordinate, for the finite differences
TOLERANCE = 1e-4  # of the coordinates, at which it has converged
MOST_STEPS = 40
UNSOLVED = 1e3  # a residual, in units of the noise, where the simulation fails

Float = NDArray[np.float64]


@dataclass
class _Problem:
    """Residuals of one measurement, as a function of the intrinsic coordinates u."""

    identifier: Identifier
    measured: Measurement
    simulations: int = 0

    def __post_init__(self) -> None:
        bias, measured = self.identifier.bias, self.measured
        self.surrogate = self.identifier.surrogate(measured.header.noise)
        self.forces = measured.forces is not None and self.surrogate.observables.has_forces
        forces = measured.forces * (1 + bias.forces) if measured.forces is not None else None
        self.goal = self._observed(measured.strains + bias.strains, forces)

    def residuals(self, u: Float) -> Float:
        """Misfit in units of the noise, then the prior's: u itself."""
        campaign = self.identifier.campaign
        _, backend = backend_of(campaign.solver)
        parameters = self.surrogate.parameters(u[None])[0, list(campaign.columns)]
        record = backend.simulate(parameters, campaign.material, campaign.specimens)
        self.simulations += 1
        if record.status != "ok":
            return np.full(len(self.goal) + len(u), UNSOLVED)
        return np.hstack([self._observed(record.strains, record.forces) - self.goal, u])

    def _observed(self, strains: Float, forces: Float | None) -> Float:
        kept = forces[None] if self.forces and forces is not None else None
        return np.asarray(self.surrogate.observables.of(strains[None], kept)[0])


def update(identifier: Identifier, measured: Measurement) -> Updating:
    """Identify from the middle of the training points; seconds: of simulations and fit alone."""
    from scipy.optimize import least_squares

    problem = _Problem(identifier, measured)
    coordinates = problem.surrogate.axes.shape[1]
    start = time.perf_counter()
    found = least_squares(
        problem.residuals,
        np.zeros(coordinates),
        diff_step=STEP,
        xtol=TOLERANCE,
        max_nfev=MOST_STEPS,
    )
    seconds = time.perf_counter() - start
    values = problem.surrogate.parameters(found.x[None])[0]
    return Updating(
        measurement=measured.name,
        parameters=dict(zip(identifier.campaign.targets, values.tolist(), strict=True)),
        simulations=problem.simulations,
        seconds=seconds,
    )


def update_family(campaign: Campaign, measured: Measurement, bias: MeshBias) -> Updating:
    """Identify a family's sheet by Gauss-Newton on the engine, without any surrogate.

    It may simulate as often as the refinement whose time it is compared with: one that is stopped
    before it has settled is no answer.
    """
    start = time.perf_counter()
    found = answer_by_fem(campaign, measured, bias, most=2 * MOST_SIMULATIONS).estimate
    return Updating(
        measurement=measured.name,
        parameters=found.parameters or {},
        simulations=max(found.simulations, 1),
        seconds=time.perf_counter() - start,
    )
