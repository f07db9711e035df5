"""Strains of the patches from displacements: no strain window, no unknown strain measure.

In each patch a quartic is fitted to the displacements of its points and of a margin around it; one
plane would miss the average of a curved field by as much as campaigns assume for noise. Its
gradient gives F, and ln U = ln(F^T F)/2, which no rigid motion changes, is averaged over the patch
as the engine averages (fem.specimen.patches).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Patches
from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.placement import Placement

Values = NDArray[np.float64]

DEGREE = 4
MARGIN = 0.25  # of the patch's length and width, around it, from where points count too
GAUSS = 4  # points per direction; the average of a quartic needs no more
ROUNDS = 2  # of reweighting
CUT = 4.685  # robust standard deviations, Tukey's biweight
QUARTER = 0.2  # of the points that a quarter of a patch should have
FEWEST_POINTS = (DEGREE + 1) * (DEGREE + 2)  # in a patch: twice as many as the quartic has terms
SMALLEST_STRETCH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class PatchStrains:
    """What one frame says of the patches; NaN where a patch is missing."""

    gradients: Values  # (patches, points, 2 or 3, 2), F at the Gauss points
    points: NDArray[np.int64]  # (patches,) valid points in the patch
    share: Values  # (patches,) of the points that belong there
    scatter: Values  # (patches,) mm, of displacements about the fit, per component
    spread: Values  # (2, patches) 1/mm, of average exx and eyy over that of a point's displacement

    def average(self, measure: str = "ln") -> Values:
        """Average of a strain measure over each patch: (3, patches) xx, yy, xy."""
        tensors = strain_tensor(self.gradients, measure)
        average = np.einsum("g,pgij->ijp", _WEIGHTS, tensors)
        return np.asarray(average[[0, 1, 0], [0, 1, 1]])


class PatchFit:
    """Fits the patches of one specimen, frame after frame."""

    def __init__(self, patches: Patches, smallest_share: float = 0.5) -> None:
        self.patches, self.smallest_share = patches, smallest_share
        self.size = np.array(
            [patches.region_length_mm / patches.along, patches.region_width_mm / patches.across]
        )

    @cached_property
    def centres(self) -> Values:
        """Centres (patches, 2), mm, numbered across first, then along."""
        x, y = (
            extent * ((np.arange(count) + 0.5) / count - 0.5)
            for extent, count in (
                (self.patches.region_length_mm, self.patches.along),
                (self.patches.region_width_mm, self.patches.across),
            )
        )
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)

    def __call__(self, frame: Frame, placement: Placement) -> PatchStrains:
        """Fit all patches of a frame."""
        points, moved = placement.points(frame), placement.displacements(frame)
        reach = (0.5 + MARGIN) * self.size
        near = (np.abs(points) <= self.size * self._counts / 2 + reach).all(axis=1)
        points, moved, weights = points[near], moved[near], frame.weights[near]
        expected = float(np.prod(self.size)) / placement.spacing**2
        count = self.patches.count
        gradients = np.full((count, GAUSS**2, moved.shape[1], 2), np.nan)
        inside, share = np.zeros(count, dtype=np.int64), np.zeros(count)
        scatter, spread = np.full(count, np.nan), np.full((2, count), np.nan)
        for patch, centre in enumerate(self.centres):
            offset = (points - centre) / (self.size / 2)
            around = (np.abs(offset) <= 1 + 2 * MARGIN).all(axis=1)
            offset = offset[around]
            within = (np.abs(offset) <= 1).all(axis=1)
            inside[patch] = within.sum()
            share[patch] = min(1.0, inside[patch] / expected)
            if not self._enough(offset[within], expected):
                continue
            found = _fit(offset, moved[around], weights[around])
            if found is not None:
                coefficients, scatter[patch], covariance = found
                gradients[patch] = self._deformation(coefficients)
                slopes = _AVERAGE_SLOPES / (self.size[:, None] / 2)
                spread[:, patch] = np.sqrt(np.einsum("dt,tk,dk->d", slopes, covariance, slopes))
        return PatchStrains(gradients, inside, share, scatter, spread)

    @property
    def _counts(self) -> Values:
        return np.array([self.patches.along, self.patches.across])

    def _enough(self, offset: Values, expected: float) -> bool:
        """Whether a patch, and each quarter of it, has its least share of points."""
        if len(offset) < self.smallest_share * expected or len(offset) < FEWEST_POINTS:
            return False
        quarters = np.bincount(2 * (offset[:, 0] > 0) + (offset[:, 1] > 0), minlength=4)
        return bool((quarters >= QUARTER * expected / 4).all())

    def _deformation(self, coefficients: Values) -> Values:
        """F (points, 2 or 3, 2) at the Gauss points from coefficients (terms, 2 or 3)."""
        gradient = np.einsum("gtk,td->gdk", _SLOPES, coefficients) / (self.size / 2)
        return np.asarray(gradient + np.eye(coefficients.shape[1])[:, :2])


def strain_tensor(F: Values, measure: str = "ln") -> Values:
    """Strain (..., 2, 2) of deformation gradients (..., 2 or 3, 2), in reference axes.

    ln U, U - I ("engineering") and (C - I)/2 ("green_lagrange") in axes that the sheet carries
    along; "almansi", (I - C^-1)/2 of the stretches alike, as tools report it.
    """
    C = np.einsum("...ki,...kj->...ij", F, F)
    if measure == "green_lagrange":
        return np.asarray((C - np.eye(2)) / 2)
    finite = np.isfinite(C).all(axis=(-2, -1))
    squares, directions = np.linalg.eigh(np.where(finite[..., None, None], C, np.eye(2)))
    squares = np.maximum(squares, SMALLEST_STRETCH)
    match measure:
        case "ln":
            principal = np.log(squares) / 2
        case "engineering":
            principal = np.sqrt(squares) - 1
        case "almansi":
            principal = (1 - 1 / squares) / 2
        case _:
            raise ValueError(measure)
    tensor = np.einsum("...ik,...k,...jk->...ij", directions, principal, directions)
    return np.where(finite[..., None, None], tensor, np.nan)


def _powers() -> list[tuple[int, int]]:
    return [(i, total - i) for total in range(DEGREE + 1) for i in range(total, -1, -1)]


_POWERS = _powers()
_TERMS = len(_POWERS)


def _basis(offset: Values) -> Values:
    """Monomials (n, terms) of normalised positions (n, 2)."""
    x, y = (_up_to(part) for part in offset.T)
    return np.column_stack([x[i] * y[j] for i, j in _POWERS])


def _up_to(x: Values) -> list[Values]:
    """Powers of x from 0 to DEGREE."""
    powers = [np.ones_like(x)]
    for _ in range(DEGREE):
        powers.append(powers[-1] * x)
    return powers


def _slopes(offset: Values) -> Values:
    """Gradients (n, terms, 2) of the monomials."""
    x, y = offset.T
    along = [i * x ** max(i - 1, 0) * y**j for i, j in _POWERS]
    across = [j * x**i * y ** max(j - 1, 0) for i, j in _POWERS]
    return np.stack((np.column_stack(along), np.column_stack(across)), axis=-1)


_KNOTS, _LINE_WEIGHTS = np.polynomial.legendre.leggauss(GAUSS)
_GRID = np.stack(np.meshgrid(_KNOTS, _KNOTS, indexing="ij"), axis=-1).reshape(-1, 2)
_WEIGHTS = np.outer(_LINE_WEIGHTS, _LINE_WEIGHTS).ravel() / 4
_SLOPES = _slopes(_GRID)
_AVERAGE_SLOPES = np.einsum("g,gtd->dt", _WEIGHTS, _SLOPES)


def _fit(offset: Values, moved: Values, weights: Values) -> tuple[Values, float, Values] | None:
    """Coefficients (terms, 2 or 3), robust scatter, mm, and covariance of unit noise.

    None if the points do not tell.

    Normal equations: the monomials of normalised positions are tame, and an SVD takes ten times
    as long.
    """
    basis, robust = _basis(offset), np.ones(len(offset))
    for _ in range(ROUNDS + 1):
        weighted = (weights * robust)[:, None] * basis
        normal = basis.T @ weighted
        try:
            coefficients = np.linalg.solve(normal, weighted.T @ moved)
        except np.linalg.LinAlgError:
            return None
        residual = moved - basis @ coefficients
        size = np.linalg.norm(residual, axis=1)
        # The median length of a Gaussian vector of 2 or 3 components, over one's deviation
        scatter = float(np.median(size)) / (1.18 if moved.shape[1] == 2 else 1.54)
        limit = CUT * max(1.2 * scatter, 1e-12) * np.sqrt(moved.shape[1] / 2)
        robust = np.clip(1 - (size / limit) ** 2, 0, None) ** 2
    covariance = np.linalg.pinv(normal, hermitian=True)
    return np.asarray(coefficients, dtype=np.float64), scatter, np.asarray(covariance)
