"""Forward surrogate: parameters to what would be measured, in units of its noise.

Observables are strains over their noise and, where there are any, logarithms of forces over their
relative noise: there all noise is independent and of variance one. They are written in principal
components of noise-free records. Parameters are written in intrinsic coordinates u, whitened
principal coordinates of the training points, as few of them as carry all: points of the mechanical
box obey sigma_0 = 1, so that eight alpha have seven. One polynomial of u gives both, components
and parameters; its degree and penalty are chosen by leaving each record out in turn, and what is
missed then becomes its error covariance. Outside the training points' range it must not be asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.forward.polynomial import Monomials
from hpc_jobs.forward.records import ForwardRecords

COMPONENTS = 40
DEGREES = range(1, 7)
PENALTIES = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)  # times the number of records
FADING = 0.3  # of a term's scale by its degree: high powers are penalised more
CHOOSING_RECORDS = 10_000  # at most: more choose alike
BLOCK = 1024
"""Records whose polynomial's terms are in memory at once: of ten thousand with three thousand terms
they would take hundreds of megabytes, several times over."""
TERMS_PER_RECORD = 2.0  # at most; the penalty decides where records are few
MOST_TERMS = 3500
"""Of a polynomial over the whole box. The quartic of a family's eighteen coordinates has 7,315: its
fit to 10,000 records takes over 2 GB and minutes, and answers no better than the cubic does."""
REACH = 3.0  # of u, standard deviations: the polynomial's variables are of order one
PARAMETERS_LOST = 5e-5  # sum of mean squares, min-max units, that fewer coordinates may cost
MARGIN = 0.05  # of the training points' range that u may leave it by

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observables:
    """Raw records in units of their noise, and their principal components."""

    noise_strain: float
    noise_force: float  # relative
    strain_values: int
    mean: FloatArray  # (values,) of training records: strain values first, then forces if any
    vectors: FloatArray  # (values, k), orthonormal columns

    @property
    def has_forces(self) -> bool:
        """Whether forces were trained on, too."""
        return len(self.mean) > self.strain_values

    def of(self, strains: NDArray[np.floating], forces: NDArray[np.floating] | None) -> FloatArray:
        """Raw strains (n, strain_values), forces (n, force_values) N or None: (n, values)."""
        values = strains.astype(np.float64) / self.noise_strain
        if forces is None:
            return values
        return np.hstack([values, np.log(forces.astype(np.float64)) / self.noise_force])


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Parameters (n, targets) to principal components of what is measured; see the module."""

    # Symbols: k components, m terms of the polynomial.

    observables: Observables
    low: FloatArray  # (targets,) min-max units of the parameters
    high: FloatArray
    centre: FloatArray  # (targets,) of the parameters in min-max units
    axes: FloatArray  # (targets, coordinates): u = (scaled - centre) @ axes
    range: FloatArray  # (2, coordinates) of u that may be asked for
    monomials: Monomials
    coefficients: FloatArray  # (m, k + targets): components, then parameters in min-max units
    error: FloatArray  # (k, k) covariance of the components' residuals

    @property
    def components(self) -> int:
        """Number of principal components."""
        return int(self.observables.vectors.shape[1])

    def coordinates(self, parameters: NDArray[np.floating]) -> FloatArray:
        """Physical (n, targets) to u (n, coordinates), confined to the trained range."""
        scaled = (parameters - self.low) / (self.high - self.low)
        return np.clip((scaled - self.centre) @ self.axes, *self.range)

    def parameters(self, u: FloatArray) -> FloatArray:
        """Return u (n, coordinates) as physical (n, targets)."""
        scaled = self.monomials(u / REACH) @ self.coefficients[:, self.components :]
        return np.asarray(self.low + (self.high - self.low) * scaled)

    def parameter_slopes(self, u: FloatArray) -> FloatArray:
        """Return derivatives (n, targets, coordinates) of the physical parameters by u."""
        slopes = self._slopes(u, slice(self.components, None))
        return (self.high - self.low)[:, None] * slopes

    def components_at(self, u: FloatArray) -> FloatArray:
        """Components (n, k) at u (n, coordinates)."""
        return np.asarray(self.monomials(u / REACH) @ self.coefficients[:, : self.components])

    def respond(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Components (n, k) at u (n, coordinates), and their derivatives (n, k, coordinates)."""
        return self.components_at(u), self._slopes(u, slice(self.components))

    def simulate(self, parameters: NDArray[np.floating]) -> tuple[FloatArray, FloatArray | None]:
        """Strains (n, strain_values) and forces (n, force_values), N, of physical parameters."""
        seen = self.observables
        record = seen.mean + self.components_at(self.coordinates(parameters)) @ seen.vectors.T
        strains = record[:, : seen.strain_values] * seen.noise_strain
        if not seen.has_forces:
            return strains, None
        return strains, np.exp(record[:, seen.strain_values :] * seen.noise_force)

    @cached_property
    def _derivatives(self) -> FloatArray:
        return self.monomials.derivatives(self.coefficients) / REACH

    def _slopes(self, u: FloatArray, outputs: slice) -> FloatArray:
        basis = self.monomials(u / REACH)
        return np.stack([basis @ one[:, outputs] for one in self._derivatives], axis=2)


def fit_surrogate(
    train: ForwardRecords,
    limits: tuple[FloatArray, FloatArray],
    noise: tuple[float, float],
    components: int = COMPONENTS,
) -> Surrogate:
    """Fit to noise-free records.

    limits: lowest and highest parameters (targets,), their min-max units; noise: of strains,
    absolute, and of forces, relative.
    """
    observables = observables_of(train, noise, components)
    low, high = limits
    scaled = (train.parameters - low) / (high - low)
    values = observables.of(train.strains, train.forces)
    values -= observables.mean
    outputs = np.hstack([values @ observables.vectors, scaled])
    del values  # as large as all records; what follows takes its time
    found: Surrogate | None = None
    for coordinates in range(1, scaled.shape[1] + 1):
        centre, axes = _principal(scaled, coordinates)
        u = (scaled - centre) @ axes
        all_carried = coordinates == scaled.shape[1]
        if not all_carried and _parameters_lost(u, scaled) > PARAMETERS_LOST:
            continue
        kept = observables.vectors.shape[1]
        degrees = [
            degree
            for degree in DEGREES
            if degree == 1 or Monomials.count(coordinates, degree) <= MOST_TERMS
        ]
        monomials, coefficients, missed = best_polynomial(u, outputs, kept, degrees)
        margin = MARGIN * np.ptp(u, axis=0)
        found = Surrogate(
            observables=observables,
            low=low,
            high=high,
            centre=centre,
            axes=axes,
            range=np.stack([u.min(0) - margin, u.max(0) + margin]),
            monomials=monomials,
            coefficients=coefficients,
            error=missed.T @ missed / len(missed),
        )
        break
    assert found is not None  # all coordinates carry all
    return found


def observables_of(
    train: ForwardRecords, noise: tuple[float, float], components: int
) -> Observables:
    """Principal components of the training records, by the smaller of the two Gram matrices."""
    raw = Observables(*noise, train.strains.shape[1], np.zeros(0), np.zeros((0, 0)))
    values = raw.of(train.strains, train.forces)
    mean = values.mean(0)
    values -= mean
    kept = min(components, *values.shape)
    if len(values) < values.shape[1]:
        vectors = np.linalg.svd(values, full_matrices=False)[2][:kept].T
    else:
        vectors = np.linalg.eigh(values.T @ values)[1][:, ::-1][:, :kept]
    return replace(raw, mean=mean, vectors=np.ascontiguousarray(vectors))


def _principal(scaled: FloatArray, coordinates: int) -> tuple[FloatArray, FloatArray]:
    """Centre (targets,) and whitening axes (targets, coordinates) of the strongest coordinates."""
    centre = scaled.mean(0)
    values, vectors = np.linalg.eigh(np.cov(scaled.T))
    strongest = np.argsort(values)[::-1][:coordinates]
    return centre, vectors[:, strongest] / np.sqrt(np.maximum(values[strongest], 1e-12))


def _parameters_lost(u: FloatArray, scaled: FloatArray) -> float:
    """Sum of mean squares by which a polynomial of u, up to a cubic, misses the parameters."""
    rows = slice(CHOOSING_RECORDS)
    return min(
        float((missed**2).mean(0).sum())
        for degree in (1, 2, 3)
        for *_, missed in _polynomials(u[rows], scaled[rows], degree, PENALTIES[1:2])
    )


def best_polynomial(
    u: FloatArray,
    outputs: FloatArray,
    judged: int,
    degrees: Sequence[int],
    weights: tuple[int, ...] = (),
) -> tuple[Monomials, FloatArray, FloatArray]:
    """Fit outputs (n, outputs) by polynomials of u (n, coordinates), and choose one.

    By the mean logarithm of what the first `judged` outputs of a left-out record miss: few
    records, in the corners, miss most. Of many records the first ones choose, and all are fitted.
    weights: of the coordinates in the degree. Returns monomials, coefficients and what is missed.
    """

    def verdict(one: tuple[float, Monomials, FloatArray, FloatArray]) -> float:
        return float(np.log1p((one[3][:, :judged] ** 2).sum(1)).mean())

    chooses = slice(CHOOSING_RECORDS)
    best = min(
        (
            one
            for degree in degrees
            for one in _polynomials(u[chooses], outputs[chooses], degree, PENALTIES, weights)
        ),
        key=verdict,
    )
    if len(u) > CHOOSING_RECORDS:
        [best] = _polynomials(u, outputs, best[1].degree, best[:1], weights)
    _, monomials, coefficients, missed = best
    return monomials, coefficients, missed[:, :judged]


def _polynomials(
    u: FloatArray,
    outputs: FloatArray,
    degree: int,
    penalties: Sequence[float],
    weights: tuple[int, ...] = (),
) -> Iterator[tuple[float, Monomials, FloatArray, FloatArray]]:
    """Yield each penalty with coefficients and what each record misses if it is left out.

    Leaving record i out of a ridge regression with hat matrix H makes its residual 1/(1 - H_ii)
    times as large (Allen 1974). Nothing where the records are too few for the degree.
    """
    records, coordinates = u.shape
    if degree > 1 and not weights:  # quick to say
        terms = Monomials.count(coordinates, degree)
    else:
        terms = len(Monomials(coordinates, degree, weights).exponents)
    if degree > 1 and terms > TERMS_PER_RECORD * records:
        return
    monomials = Monomials(coordinates, degree, weights)
    fading = FADING ** monomials.exponents.sum(1)
    blocks = [slice(start, start + BLOCK) for start in range(0, records, BLOCK)]
    squares = np.zeros((len(fading), len(fading)))
    products = np.zeros((len(fading), outputs.shape[1]))
    for rows in blocks:
        basis = monomials(u[rows] / REACH) * fading
        squares += basis.T @ basis
        products += basis.T @ outputs[rows]
    values, vectors = np.linalg.eigh(squares)
    moment = vectors.T @ products
    shrunk = [1 / (np.maximum(values, 0) + penalty * records) for penalty in penalties]
    missed = np.empty((len(penalties), *outputs.shape))
    for rows in blocks:
        rotated = (monomials(u[rows] / REACH) * fading) @ vectors
        for one, by in zip(missed, shrunk, strict=True):
            residual = outputs[rows] - rotated @ (by[:, None] * moment)
            one[rows] = residual / np.maximum(1 - (rotated**2) @ by, 1e-6)[:, None]
    for penalty, by, one in zip(penalties, shrunk, missed, strict=True):
        yield penalty, monomials, fading[:, None] * (vectors @ (by[:, None] * moment)), one
