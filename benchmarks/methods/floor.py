"""Test records as they are measured, and the Bayes floor that no answer to them falls below."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.records import Records
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.forward.records import LARGEST_FIT, ForwardRecords
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate
from hpc_jobs.identification.posterior import bound

Float = NDArray[np.float64]
SEED = 90


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Noisy strains and forces, the same each time, and the parameters behind them."""

    strains: NDArray[np.float32]  # (n, strain_values)
    forces: NDArray[np.float32]  # (n, force_values), N
    parameters: Float  # (n, targets)

    @classmethod
    def of(cls, campaign: Campaign, records: Records) -> "Measured":
        """Measure records with the campaign's noise."""
        rng = np.random.default_rng(SEED)
        strains = campaign.noise.strain * rng.standard_normal(records.strains.shape)
        forces = campaign.noise.force_relative * rng.standard_normal(records.forces.shape)
        return cls(
            (records.strains + strains).astype(np.float32),
            (records.forces * (1 + forces)).astype(np.float32),
            records.parameters,
        )

    def error(self, answers: NDArray[np.floating], scaler: TargetScaler) -> float:
        """Sum over the targets of the mean square error in min-max units."""
        span = np.array(scaler.high) - scaler.low
        return float((((answers - self.parameters) / span) ** 2).mean(0).sum())


def surrogate_of(campaign: Campaign, train: Records, scaler: TargetScaler) -> Surrogate:
    """Fit what the floor is calculated from; more records than LARGEST_FIT no longer move it."""
    some = train.first(LARGEST_FIT)
    noise = campaign.noise.strain, campaign.noise.force_relative
    limits = np.array(scaler.low), np.array(scaler.high)
    return fit_surrogate(ForwardRecords(some.parameters, some.strains, some.forces), limits, noise)


def floor(surrogate: Surrogate, measured: Measured, *, with_forces: bool) -> float:
    """Bayesian Cramer-Rao bound of `Measured.error`."""
    variances = bound(surrogate, measured.parameters, with_forces=with_forces)
    return float((variances / (surrogate.high - surrogate.low) ** 2).mean(0).sum())
