"""How sure a model is: split-conformal intervals, calibrated on records that it has never seen.

Of n calibration records the scores |truth - answer| / deviation are sorted. The one at rank
ceil((n + 1) level), times the deviation of a new answer, is the half width of its interval. It then
holds the truth in at least `level` of all cases, whatever the errors' law and however wrong the
deviations: those only share the width out among the records. That is so on average over materials
like those of the calibration, not in each region of them. Angelopoulos & Bates 2023, sec. 1.1.

Records of rounds that aim somewhere are no sample of those materials. Their importance weights make
them one: the rank is counted in weight, that of a new record being the mean. Tibshirani, Barber,
Candes & Ramdas, NeurIPS 2019.
"""

import math
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.frozen import Frozen

FloatArray = NDArray[np.float64]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]


class Calibration(Frozen):
    """What a model's errors on the calibration records were; per target, physical units."""

    level: Annotated[float, Field(gt=0, lt=1, description="share of truths inside an interval")]
    records: Annotated[int, Field(ge=1)]
    factors: Annotated[
        tuple[NonNegative, ...], Field(description="half widths, in deviations of the answer")
    ]
    residuals: Annotated[
        tuple[NonNegative, ...],
        Field(description="rms errors: the deviations where a network says none of its own"),
    ]
    correlation: Annotated[
        tuple[tuple[FiniteFloat, ...], ...], Field(description="[target, target], of the errors")
    ]

    def intervals(
        self, answers: FloatArray, deviations: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends (B, targets) from answers and deviations (B, targets)."""
        half = np.array(self.factors) * deviations
        return answers - half, answers + half

    def widest(self, other: "Calibration") -> "Calibration":
        """Take each target's wider interval of two calibrations: what holds under either."""
        return self.model_copy(
            update={
                "factors": tuple(map(max, self.factors, other.factors)),
                "residuals": tuple(map(max, self.residuals, other.residuals)),
            }
        )

    def covariances(self, deviations: FloatArray) -> FloatArray:
        """Covariances (B, targets, targets) of normal laws that have these very intervals.

        What depends on several targets, an r-value say, needs to know how their errors hang
        together; its interval is then as good as the normal law, not guaranteed.
        """
        normal = NormalDist().inv_cdf((1 + self.level) / 2)
        scale = np.array(self.factors) * deviations / normal
        return np.array(self.correlation) * scale[:, :, None] * scale[:, None, :]


def calibrate(
    errors: NDArray[np.floating[Any]],
    deviations: NDArray[np.floating[Any]] | None,
    level: float,
    weights: FloatArray | None = None,
) -> Calibration:
    """Calibrate on errors (n, targets) and, where a model says them, its deviations (n, targets).

    The records must have had no part in training, nor in choosing the epoch. weights (n,): of
    importance, all one by default; records that weigh nothing do not count. Raises
    ConfigurationError where they are too few.
    """
    errors = np.asarray(errors, np.float64)
    weights = np.ones(len(errors)) if weights is None else weights
    require_records(int((weights > 0).sum()), level)
    residuals = np.sqrt(np.average(np.square(errors), axis=0, weights=weights))
    own = residuals[None] if deviations is None else np.asarray(deviations, np.float64)
    scores = errors / np.maximum(own, np.finfo(np.float64).tiny)
    return Calibration(
        level=level,
        records=len(errors),
        factors=tuple(conformal_factors(np.abs(scores), level, weights).tolist()),
        residuals=tuple(residuals.tolist()),
        correlation=tuple(tuple(row) for row in _correlation(scores, weights).tolist()),
    )


def conformal_factors(
    scores: FloatArray, level: float, weights: FloatArray | None = None
) -> FloatArray:
    """Scores (targets,) at the finite-sample rank of (n, targets); there must be enough.

    weights (n,): the rank is counted in them.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0) / weights.mean()
    # 0.9 x 10 is 9, not a rounding more
    wanted = round((len(scores) + 1) * level, 9)
    rank = np.minimum((reached < wanted - 1e-9).sum(0), len(scores) - 1)
    ranked = np.take_along_axis(scores, order, axis=0)
    return np.asarray(ranked[rank, np.arange(scores.shape[1])])


def require_records(records: int, level: float) -> None:
    """Raise ConfigurationError where no interval of finite width could keep the level."""
    fewest = math.ceil(round(level / (1 - level), 9))
    if records < fewest:
        raise ConfigurationError(
            f"{records} records to calibrate intervals on; those of {level:.0%} need {fewest}: "
            "raise training.validation_fraction, half of which calibrates, or simulate more"
        )


def _correlation(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """(targets, targets), about zero: a bias is part of the error; 0 where a target has none."""
    moment = scores.T @ (scores * weights[:, None]) / weights.sum()
    scale = np.sqrt(np.maximum(np.diag(moment), np.finfo(np.float64).tiny))
    correlation = moment / scale / scale[:, None]
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
