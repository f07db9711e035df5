"""From measured strains, forces and what is known to a family's sheet, by the forward surrogate.

    identifier = FamilyIdentifier.of(RunFolder(path))
    sheet = identifier.identify(strains, forces, knowledge={"exponent": (6, 0)})

The surrogate over the whole box finds where the sheet lies; one that is fitted to the records
around it says where exactly, and how surely. Answers are means of the posterior under the law by
which the campaign draws its sheets, joined with what the measurement knows; nuisances are part of
the posterior and widen it. Records that were held out say by how much intervals must be wider than
the posterior has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.measurement import Known
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.forward.family import fit_around, fit_family
from hpc_jobs.forward.natural import Natural
from hpc_jobs.forward.records import FamilyRecords, family_records
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.posterior import NormalPrior, posterior_draws, refine

CALIBRATION_RECORDS = 100
SURE = 1e-3
"""Smallest standard deviation of a known coordinate, in spreads of the box."""
OUTSIDE_MARGIN = 1.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SheetPosterior:
    """Weighted draws of a sheet, and how well it explains the measurement."""

    names: tuple[str, ...]
    values: FloatArray  # (draws, coordinates), physical
    weights: FloatArray  # (draws,), of sum one
    u: FloatArray  # (coordinates,) most probable
    covariance: FloatArray  # (coordinates, coordinates) of u, of the normal law there
    rms: float  # residual in units of noise and surrogate's error
    local: bool  # whether the surrogate was fitted around the sheet

    def mean(self) -> FloatArray:
        """(coordinates,)."""
        return np.asarray(self.weights @ self.values)

    def deviation(self) -> FloatArray:
        """(coordinates,)."""
        return np.asarray(np.sqrt(self.weights @ (self.values - self.mean()) ** 2))

    def interval(self, column: int, factor: float = 1.0) -> tuple[float, float]:
        """Return the ends that hold a level of the draws, stretched about the mean by a factor."""
        order = np.argsort(self.values[:, column])
        total = np.cumsum(self.weights[order])
        outside = (1 - INTERVAL_LEVEL) / 2
        ends = np.interp([outside, 1 - outside], total, self.values[order, column])
        mean = float(self.mean()[column])
        low, high = mean + factor * (ends - mean)
        return float(low), float(high)


@dataclass(eq=False)
class FamilyIdentifier:
    """The simulations of a family's run, ready to be inverted."""

    campaign: Campaign
    records: FamilyRecords
    held_out: FamilyRecords | None = None
    local: bool = True
    _fitted: dict[Noise, Surrogate] = field(default_factory=dict)

    @classmethod
    def of(cls, run: RunFolder[Path]) -> "FamilyIdentifier":
        """Read the run's campaign and dataset; raises CorruptFile, BadInput."""
        campaign = read_model(FrozenCampaign, run.campaign).campaign
        records = family_records(run, campaign)
        spared = min(CALIBRATION_RECORDS, len(records) // 10)
        rows = np.arange(len(records))
        return cls(campaign, records.rows(rows[spared:]), records.rows(rows[:spared]))

    @property
    def natural(self) -> Natural:
        """The coordinates."""
        return self.records.natural

    def surrogate(self, noise: Noise) -> Surrogate:
        """Return the surrogate over the whole box, fitted at the first call."""
        if noise not in self._fitted:
            self._fitted[noise] = fit_family(self.records, (noise.strain, noise.force_relative))
        return self._fitted[noise]

    def identify(
        self,
        strains: FloatArray,
        forces: FloatArray | None,
        *,
        knowledge: Mapping[str, Known] | None = None,
        noise: Noise | None = None,
    ) -> SheetPosterior:
        """Identify from raw strains (strain_values,), NaN where nothing was measured, and forces.

        knowledge: value and standard deviation of coordinates by name. Raises BadInput.
        """
        kept = np.isfinite(np.concatenate([strains, forces if forces is not None else []]))
        told = self._told(knowledge or {})
        whole = self.surrogate(noise or self.campaign.noise)
        row, pull = np.nan_to_num(strains)[None], None if forces is None else forces[None]
        prior = NormalPrior(*self._normal(*told))
        found = refine(whole, row, pull, prior=prior, kept=kept)
        fitted, covariance = whole, found.covariance[0]
        if self.local:
            fitted = fit_around(self.records, whole, found.u[0], covariance)
        draws = posterior_draws(
            fitted, lambda u: self._log_prior(u, *told), row[0], forces, prior=prior, kept=kept
        )
        x = self.natural.centre + self.natural.spread * draws.u
        return SheetPosterior(
            names=self.natural.names,
            values=self.natural.physical(x),
            weights=draws.weights,
            u=draws.most_probable,
            covariance=draws.covariance,
            rms=draws.rms,
            local=self.local,
        )

    def _told(self, knowledge: Mapping[str, Known]) -> tuple[FloatArray, FloatArray]:
        mean, deviation = self.natural.told(dict(knowledge))
        return mean, np.maximum(deviation, SURE)

    def _normal(self, mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Join the box's normal law with what is known."""
        box = np.where(self.natural.nuisance, 0.0, 1.0)
        precision = deviation**-2 + box
        return mean * deviation**-2 / precision, precision**-0.5

    def _log_prior(self, u: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
        known = np.isfinite(deviation) & ~self.natural.nuisance
        misfit = ((u[:, known] - mean[known]) / deviation[known]) ** 2
        nuisance = self.natural.nuisance
        own = ((u[:, nuisance] - mean[nuisance]) / deviation[nuisance]) ** 2 - u[:, nuisance] ** 2
        return np.asarray(self.natural.log_prior(u) - 0.5 * misfit.sum(1) - 0.5 * own.sum(1))
