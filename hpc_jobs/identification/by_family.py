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

from hpc_jobs.contract.answers import STRESS, stress_name
from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.measurement import Known
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Covariance, Estimate, Found
from hpc_jobs.forward.family import fit_around, fit_family
from hpc_jobs.forward.meshes import other_meshes
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.forward.records import FamilyRecords, family_records
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.family_answer import (
    asked_columns,
    is_seen,
    log_stress_draws,
    strain_reached,
)
from hpc_jobs.identification.fine_mesh import carried, fine_family, finer
from hpc_jobs.identification.posterior import NormalPrior, posterior_draws, refine
from hpc_jobs.learning.models.calibration import conformal_factors
from hpc_jobs.measurement.file import Measurement

CALIBRATION_RECORDS = 60
SEED = 23
SHEETS = 60  # drawn, for the covariance of the yield function's parameters
SURE = 1e-3
"""Smallest standard deviation of a known coordinate, in spreads of the box."""

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
    explained: bool  # whether a sheet of the box explains it at all

    def mean(self) -> FloatArray:
        """(coordinates,)."""
        return np.asarray(self.weights @ self.values)

    def deviation(self) -> FloatArray:
        """(coordinates,)."""
        return np.asarray(np.sqrt(self.weights @ (self.values - self.mean()) ** 2))

    def interval(self, values: FloatArray, factor: float = 1.0) -> tuple[float, float, float]:
        """Mean of a quantity of the draws (draws,), and the ends that hold a level of them.

        factor: by which the ends are moved away from the mean.
        """
        order = np.argsort(values)
        total = np.cumsum(self.weights[order])
        outside = (1 - INTERVAL_LEVEL) / 2
        ends = np.interp([outside, 1 - outside], total, values[order])
        mean = float(self.weights @ values)
        low, high = mean + factor * (ends - mean)
        return mean, float(min(low, mean)), float(max(high, mean))


@dataclass(eq=False)
class FamilyIdentifier:
    """The simulations of a family's run, ready to be inverted."""

    campaign: Campaign
    records: FamilyRecords
    held_out: FamilyRecords | None = None
    local: bool = True
    fine: FamilyRecords | None = None  # of a finer mesh: what the own one gets wrong is taken off
    _fitted: dict[Noise, Surrogate] = field(default_factory=dict)
    _factors: dict[str, float] | None = None

    @classmethod
    def of(cls, run: RunFolder[Path]) -> "FamilyIdentifier":
        """Read the run's campaign and dataset; raises CorruptFile, BadInput."""
        campaign = read_model(FrozenCampaign, run.campaign).campaign
        other = other_meshes(run, campaign)
        records = family_records(run, campaign, without=other.among)
        spared = min(CALIBRATION_RECORDS, len(records) // 10)
        rows = np.arange(len(records))
        learned, held_out = records.rows(rows[spared:]), records.rows(rows[:spared])
        return cls(campaign, learned, held_out, fine=fine_family(campaign, other))

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

        knowledge: value and standard deviation of coordinates by name. Where there are records on a
        finer mesh, what the campaign's own does to the sheet is taken off first. Raises BadInput.
        """
        noise = noise or self.campaign.noise
        if self.fine is not None:
            whole = self.surrogate(noise)
            better, kept = finer(whole, self.fine), _kept(strains, forces)
            prior = NormalPrior(*self._normal(*self._told(knowledge or {})))
            pull = None if forces is None else forces[None]
            found = refine(better, np.nan_to_num(strains)[None], pull, prior=prior, kept=kept)
            strains, forces = carried(whole, better, found.u, strains, forces)
        return self._on_own_mesh(strains, forces, knowledge or {}, noise)

    def _on_own_mesh(
        self,
        strains: FloatArray,
        forces: FloatArray | None,
        knowledge: Mapping[str, Known],
        noise: Noise,
    ) -> SheetPosterior:
        kept, told, whole = _kept(strains, forces), self._told(knowledge), self.surrogate(noise)
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
            explained=draws.explained,
        )

    def start(self, measurement: Measurement) -> tuple[FloatArray, FloatArray] | None:
        """Nearest sheet of the box and the surrogate's slopes there, for a search beyond it.

        None for a measurement without forces: slopes are those of whole records.
        """
        header = measurement.header
        if measurement.forces is None:
            return None
        whole = self.surrogate(header.noise)
        kept = np.isfinite(np.concatenate([measurement.strains, measurement.forces]))
        prior = NormalPrior(*self._normal(*self._told(header.knowledge)))
        row = np.nan_to_num(measurement.strains)[None]
        found = refine(whole, row, measurement.forces[None], prior=prior, kept=kept)
        slopes = whole.observables.vectors @ whole.respond(found.u)[1][0]
        return found.u[0], np.asarray(slopes)

    def refine(self, measurement: Measurement, start: Estimate | None = None) -> Estimate:
        """Identify the sheet behind a measurement; raises BadInput.

        start is not needed: the whole box was searched. The estimate's novelty is the rms residual
        in units of noise and of the surrogate's own error: 1 if the sheet explains all.
        """
        header, natural = measurement.header, self.natural
        found = self.identify(
            measurement.strains,
            measurement.forces,
            knowledge=header.knowledge,
            noise=header.noise,
        )
        limit = self.campaign.validation.strain_rms_tolerance
        mean = found.mean()
        engine = Engine(self.campaign, self.campaign.specimens, header.noise)
        try:
            parameters, sheet = engine.sheet(self._u(mean))
        except NoSheet as error:
            return self._withheld(measurement, found.rms, f"the answer is no sheet: {error}")
        if not found.rms <= limit:
            return self._withheld(
                measurement,
                found.rms,
                f"the nearest sheet misses the measurement by {found.rms:.3g} noise, more than "
                f"{limit:g}: it is unlike all that was simulated",
            )
        if not found.explained:
            return self._withheld(
                measurement, found.rms, "the nearest sheet lies outside the box that was simulated"
            )
        own = parameters[np.argsort(list(self.campaign.columns))]
        return Estimate(
            measurement=measurement.name,
            parameters=dict(zip(self.campaign.targets, own.tolist(), strict=True)),
            novelty=found.rms,
            novelty_limit=limit,
            covariance=self._covariance(engine, found),
            found=reported(self.campaign, found, measurement, self.factors()),
            coordinates=dict(zip(natural.names[len(QUANTITIES) :], sheet.tolist(), strict=True)),
            method="surrogate",
        )

    def factors(self) -> dict[str, float]:
        """Say by which intervals must be widened, by quantity, from the records held out.

        Split-conformal: the level's quantile of errors over half widths. 1 without such records.
        """
        if self._factors is None:
            self._factors = self._calibrated() if self.held_out is not None else {}
        return self._factors

    def widen_by(self, factors: Mapping[str, float]) -> None:
        """Take factors that were worked out before: they cost sixty answers."""
        self._factors = dict(factors)

    def _calibrated(self) -> dict[str, float]:
        held, noise = self.held_out, self.campaign.noise
        assert held is not None
        random = np.random.default_rng(SEED)
        natural, scores = self.natural, dict[str, list[float]]()
        truths = natural.physical(natural.centre + natural.spread * held.u)
        given = self.campaign.family.columns("given")
        told = [len(QUANTITIES) + column for column in given]
        for strains, forces, truth in zip(held.strains, held.forces, truths, strict=True):
            seen = strains + noise.strain * random.standard_normal(strains.shape)
            pulled = forces * (1 + noise.force_relative * random.standard_normal(forces.shape))
            knowledge = {natural.names[column]: (float(truth[column]), 0.0) for column in told}
            found = self._on_own_mesh(seen, pulled, knowledge, noise)
            true = quantities_of_draws(self.campaign, truth[None])
            for name, values in quantities_of_draws(self.campaign, found.values).items():
                mean, low, high = found.interval(values)
                side = high - mean if true[name][0] > mean else mean - low
                scores.setdefault(name, []).append(abs(true[name][0] - mean) / max(side, 1e-12))
        return {
            name: float(conformal_factors(np.array(values)[:, None], INTERVAL_LEVEL)[0])
            for name, values in scores.items()
        }

    def _covariance(self, engine: Engine, found: SheetPosterior) -> Covariance | None:
        """Of the yield function's parameters, from some draws; none if hardly one is a sheet."""
        random = np.random.default_rng(SEED)
        rows = []
        for row in random.choice(len(found.values), SHEETS, p=found.weights):
            try:
                parameters, _ = engine.sheet(self._u(found.values[row]))
            except NoSheet:
                continue
            rows.append(parameters[np.argsort(list(self.campaign.columns))])
        if len(rows) < SHEETS // 2:
            return None
        return tuple(tuple(row) for row in np.cov(np.array(rows).T).tolist())

    def _u(self, values: FloatArray) -> FloatArray:
        natural = self.natural
        x = natural.natural(values[None])[0]
        return np.asarray((x - natural.centre) / natural.spread)

    def _withheld(self, measurement: Measurement, rms: float, reason: str) -> Estimate:
        return Estimate(
            measurement=measurement.name,
            parameters=None,
            outside=(reason,),
            novelty=rms,
            novelty_limit=self.campaign.validation.strain_rms_tolerance,
            method="surrogate",
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


def _kept(strains: FloatArray, forces: FloatArray | None) -> NDArray[np.bool_]:
    """Which values (values,) were measured."""
    values = strains if forces is None else np.concatenate([strains, forces])
    return np.asarray(np.isfinite(values))


def quantities_of_draws(campaign: Campaign, values: FloatArray) -> dict[str, FloatArray]:
    """Name the reported quantities of draws (n, coordinates); stresses as logarithms."""
    names = Natural.of(campaign).names
    scalars = [*QUANTITIES, "exponent", "youngs_modulus_mpa"]
    found = {name: values[:, names.index(name)] for name in scalars if name in names}
    logs = log_stress_draws(campaign, values)
    return found | {stress_name(strain): draws for strain, draws in logs.items()}


def reported(
    campaign: Campaign,
    found: SheetPosterior,
    measurement: Measurement,
    factors: Mapping[str, float],
) -> dict[str, Found]:
    """Say each quantity with its interval; factors: by which intervals are widened, by name.

    Stresses where they are seen, up to the strain reached; scalars unless the measurement knows
    them exactly.
    """
    header, names = measurement.header, found.names
    reached = strain_reached(measurement.strains, header.specimens, header.noise.strain)
    asked = {names[column] for column in asked_columns(campaign, header)}
    said: dict[str, Found] = {}
    for name, values in quantities_of_draws(campaign, found.values).items():
        ends = found.interval(values, factors.get(name, 1.0))
        if name.startswith(STRESS):
            if not is_seen(float(name[len(STRESS) :]), reached):
                continue
            value, low, high = np.exp(ends).tolist()
        elif name in asked:
            value, low, high = ends
        else:
            continue
        said[name] = Found(value=value, low=low, high=high)
    return said
