"""What leaves a trained network by any door: answers, or NaN and why there is none.

A network has a number for everything; for a record unlike all that it was trained on the number
means nothing. Such a record is flagged, not answered: NaN in place of the answer and its interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.learning.models.trained_model import TrainedModel

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Physical targets of B records, (B, targets), with the ends of their intervals."""

    values: FloatArray
    low: FloatArray
    high: FloatArray
    novelty: FloatArray
    """(B,)"""
    reasons: list[str]
    """of each record, why it is not answered; empty where it is"""

    @property
    def warning(self) -> str:
        """What to say beside a plain table of numbers."""
        withheld = [row for row, reason in enumerate(self.reasons) if reason]
        first = f"record {withheld[0]} {self.reasons[withheld[0]]}"
        return f"{len(withheld)} of {len(self.reasons)} records are not answered (NaN): {first}"


def withhold(
    values: FloatArray, low: FloatArray, high: FloatArray, novelty: FloatArray, limit: float
) -> Answers:
    """Leave out the answers (B, targets) of records whose novelty (B,) is above the limit."""
    novel = novelty > limit
    kept = [np.where(novel[:, None], np.nan, part) for part in (values, low, high)]
    reasons = [
        _reason(score, limit) if strange else ""
        for score, strange in zip(novelty, novel, strict=True)
    ]
    return Answers(kept[0], kept[1], kept[2], novelty, reasons)


def answered(
    model: TrainedModel,
    strains: ArrayLike,
    forces: ArrayLike | None = None,
    known: ArrayLike | None = None,
) -> Answers:
    """Ask a network about strains (B, strain_values), forces (B, force_values) in N, what is known.

    known: (B, 2 given) as TrainedModel takes it. Raises BadInput.
    """
    inputs = strains, forces, known
    (low, high), values = model.intervals(*inputs), model.predict(*inputs)
    return withhold(values, low, high, model.novelty(strains), model.novelty_limit)


def _reason(novelty: float, limit: float) -> str:
    return (
        f"is unlike all training records: novelty {novelty:.3g}, limit {limit:g}; measure it again "
        "or train on such materials"
    )
