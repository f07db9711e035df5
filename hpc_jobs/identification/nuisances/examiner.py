"""One measurement with its unknowns, and the way to what explains it best.

Gauss-Newton on the engine itself: some twenty simulations of each specimen for a Jacobian, one for
each step between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import Known, Quantity
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.identification.nuisances.bench import Bench, Unsimulated
from hpc_jobs.identification.nuisances.kinds import MODULUS, OF_CURVE, columns_of
from hpc_jobs.identification.nuisances.models import Problem, search
from hpc_jobs.identification.nuisances.noise import whitening
from hpc_jobs.identification.nuisances.response import Response
from hpc_jobs.identification.nuisances.travel import Travel
from hpc_jobs.measurement.file import Measurement

LINES, STEPS = 3, 4  # at most, and steps along each
SETTLED = 0.1  # of a posterior standard deviation that a last step may move
NEAR = 0.15  # of a mechanical value, within which a line serves
LARGE = 0.3  # of a mistake's size, beyond which a nuisance is simulated
HALVINGS = 5
MODEL_SHARES = (1.0, 0.6, 0.35, 0.2)
"""Of what mesh and model may miss; the last is what they are never trusted beyond."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Derivatives by all unknowns, and where they were taken."""

    at: FloatArray  # (unknowns,)
    nuisances: FloatArray  # with which the engine simulates
    jacobian: FloatArray  # (values, unknowns)


@dataclass(frozen=True, eq=False)
class Examiner:
    """One measurement with its unknowns: mechanical values, then nuisances."""

    campaign: Campaign
    measurement: Measurement
    response: Response
    prior_mean: FloatArray
    prior_covariance: FloatArray
    measured: FloatArray  # (values,) strains, then logarithms of forces; NaN where missing
    whiten: FloatArray  # (rows, rows) of the rows that were measured: its inverse root covariance
    model_share: float = 1.0  # of the strain that mesh and model may miss by the priors

    @classmethod
    def of(cls, campaign: Campaign, measurement: Measurement) -> "Examiner":
        """Prepare; raises SolverMissing."""
        header, specimens = measurement.header, measurement.header.specimens
        tests, forces = campaign.specimens.tests, measurement.forces
        own = campaign.specimens.model_copy(
            update={"pieces": specimens.pieces, "warm_start": False, "outputs": ()}
        )
        axes: tuple[Quantity, ...] = MATERIALS[campaign.sheet.yield_function].tests
        columns = columns_of(
            campaign.validation.priors,
            campaign.nuisance.model_dump(),
            header.knowledge,
            tests,
            forces=forces is not None,
            identified=_identified(campaign, header.knowledge),
        )
        shares = np.tile(np.linspace(0, 1, specimens.output_times), (len(tests), 1))
        if forces is not None:
            by_test = forces.reshape(campaign.specimens.force_shape)
            shares = by_test / by_test[:, -1:]
        backend = backend_of(campaign.solver)[1]
        lines = tuple(header.extensometer_mm.get(test.label) for test in tests)
        bench = Bench(
            backend=backend,
            travel=Travel(backend, header.material or campaign.material, lines),
            material=header.material or campaign.material,
            specimens=own,
            columns=columns,
            force_shares=shares,
        )
        response = Response(bench=bench, axes=axes, forces_seen=forces is not None)
        low, high = np.array([getattr(campaign.design.box, axis) for axis in axes]).T
        deviations = [column.deviation for column in columns]
        variances = np.concatenate([(high - low) ** 2 / 12, np.square(deviations)])
        mean = np.concatenate([(low + high) / 2, [column.mean for column in columns]])
        if forces is None:  # springs give way with the force that such a sheet has
            plain = response.as_drawn(mean[: len(axes)]).forces.reshape(shares.shape)
            bench = replace(bench, force_shares=plain / plain[:, -1:])
            response = replace(response, bench=bench)
        return cls(
            campaign, measurement, response, mean, np.diag(np.maximum(variances, 1e-18)),
            _values(measurement), whitening(measurement, campaign.validation.priors),
        )  # fmt: skip

    def of_other(self, measurement: Measurement) -> "Examiner":
        """Examine the same test's values in another order, or some of them alone."""
        priors = self.campaign.validation.priors
        return replace(
            self,
            measurement=measurement,
            measured=_values(measurement),
            whiten=whitening(measurement, priors, self.model_share),
        )

    def weighed(self, x: FloatArray, line: "Line") -> "Examiner":
        """Let the residual say how much mesh and model miss: the likeliest of MODEL_SHARES.

        The prior names what they may miss; where they miss less, that much noise would make all
        intervals too wide.
        """
        priors = self.campaign.validation.priors
        found = [
            replace(self, model_share=share, whiten=whitening(self.measurement, priors, share))
            for share in (MODEL_SHARES if priors.model_strain else ())
        ]

        def evidence(one: "Examiner") -> float:
            return search(one.problem(x, line))[0].log_evidence + one.log_volume

        return max(found, key=evidence, default=self)

    @cached_property
    def log_volume(self) -> float:
        """Logarithm of the density of values over that of their whitened residuals."""
        return float(np.linalg.slogdet(self.whiten)[1])

    @staticmethod
    def values_of(measurement: Measurement) -> FloatArray:
        """Strains, then logarithms of forces, (values,); NaN where missing."""
        return _values(measurement)

    @property
    def deviations(self) -> FloatArray:
        """Of each value by itself, (values,), what mesh and model miss included."""
        priors, forces = self.campaign.validation.priors, self.measurement.forces
        strains = np.hypot(self.measurement.deviation, self.model_share * priors.model_strain)
        if forces is None:
            return np.asarray(strains)
        force = np.hypot(self.measurement.header.noise.force_relative, priors.model_force)
        return np.concatenate([strains, np.full(len(forces), force)])

    @property
    def sheets(self) -> int:
        """Number of unknowns of the sheet."""
        return len(self.response.axes)

    def whitened(self, values: FloatArray) -> FloatArray:
        """Drop missing rows, and bring the others to noise of variance one."""
        return np.asarray(self.whiten @ values[np.isfinite(self.measured)])

    def line(self, x: FloatArray) -> "Line":
        """Linearise in the nuisances about x, or about 0 where they are small."""
        large = np.abs(x[self.sheets :]) > LARGE * self._gross
        at = np.where(large & self._by_engine, x[self.sheets :], 0.0)
        return Line(x, at, self.response.jacobian(x[: self.sheets], at))

    def predict(self, x: FloatArray, line: "Line") -> FloatArray:
        """Prediction (values,): simulated in the sheet, linear in the nuisances."""
        simulated = self.response.predict(x[: self.sheets], line.nuisances)
        slopes = line.jacobian[:, self.sheets :]
        return np.asarray(simulated + slopes @ (x[self.sheets :] - line.nuisances))

    def problem(self, x: FloatArray, line: "Line") -> Problem:
        """Linearise about x."""
        return Problem(
            residual=self.whitened(self.measured - self.predict(x, line)),
            jacobian=self.whitened(line.jacobian),
            at=x,
            prior_mean=self.prior_mean,
            prior_covariance=self.prior_covariance,
            columns=self.response.columns,
            unknowns_of_sheet=self.sheets,
        )

    def fit(self, start: FloatArray) -> tuple[FloatArray, "Line"]:
        """Descend from unknowns `start`: the unknowns, and the line there; raises Unsimulated."""
        drawn = np.where(np.arange(len(start)) < self.sheets, start, self.prior_mean)
        x, line = self._line_towards(start, drawn) or (drawn, self.line(drawn))
        for _ in range(LINES):
            x = self.descend(x, line)
            far = np.abs(x - line.at)[: self.sheets].max(initial=0.0) > NEAR
            away = np.abs(x[self.sheets :] - line.nuisances)
            if not far and not (away > LARGE * self._gross)[self._by_engine].any():
                break
            nearer = self._line_towards(x, line.at)
            if nearer is None:
                break
            x, line = nearer
        return x, line

    def _line_towards(self, x: FloatArray, safe: FloatArray) -> "tuple[FloatArray, Line] | None":
        """Linearise at x, or as near to it from `safe` as specimens can be simulated.

        A first line may point to specimens that cannot be, such as a notch narrower than its
        patches. None where none can.
        """
        for share in 0.5 ** np.arange(HALVINGS):
            there = safe + share * (x - safe)
            try:
                return there, self.line(there)
            except Unsimulated:
                continue
        return None

    def descend(self, x: FloatArray, line: "Line") -> FloatArray:
        """Go to the best explanation's most probable unknowns along one line."""
        for _ in range(STEPS):
            best = search(self.problem(x, line))[0]
            step = best.mean - x
            x = self._stepped(x, step, line)
            if (np.abs(step) < SETTLED * np.sqrt(np.diagonal(best.covariance))).all():
                break
        return x

    @cached_property
    def _gross(self) -> FloatArray:
        return np.array([column.kind.gross for column in self.response.columns])

    @cached_property
    def _by_engine(self) -> NDArray[np.bool_]:
        return np.array([not column.kind.linear for column in self.response.columns])

    def _stepped(self, x: FloatArray, step: FloatArray, line: "Line") -> FloatArray:
        """Go a step, or as much of it as can be simulated."""
        share = 1.0
        for _ in range(HALVINGS):
            there = x + share * step
            try:
                self.predict(there, line)
            except Unsimulated:
                share /= 2
            else:
                return there
        raise Unsimulated("the fit leads to sheets that cannot be simulated")


def _values(measurement: Measurement) -> FloatArray:
    """Strains, then logarithms of forces, (values,); NaN where missing."""
    if measurement.forces is None:
        return measurement.strains
    return np.concatenate([measurement.strains, np.log(measurement.forces)])


def _identified(campaign: Campaign, knowledge: Mapping[str, Known]) -> tuple[str, ...]:
    """Name what was identified of the sheet with its yield function: of a family, its curve."""
    sheet = {one.name for one in campaign.family.coordinates if one.specimen is None}
    found = sheet - set(knowledge) - {"exponent"}
    curve = OF_CURVE if found - {"youngs_modulus_mpa"} else ()
    return (*curve, MODULUS) if "youngs_modulus_mpa" in found else curve
