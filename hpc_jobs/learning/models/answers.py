"""What leaves a trained network by any door: answers, or NaN and why there is none.

A network has a number for everything; for a record unlike all that it was trained on the number
means nothing, and neither does one far beyond what it was trained to answer. Such a record is
flagged, not answered: NaN in place of the answer and its interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.contract.answers import LOG_STRESS
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.learning.models.trained_model import TrainedModel

FloatArray = NDArray[np.float64]
BEYOND = 0.5
"""By more than this share of a target's range an answer may not leave it."""


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
    values: FloatArray,
    low: FloatArray,
    high: FloatArray,
    novelty: FloatArray,
    limit: float,
    trained: TargetScaler,
) -> Answers:
    """Leave out the answers (B, targets) of records that nothing like was trained.

    Their novelty (B,) is above the limit, or an answer lies far outside the trained range.
    """
    least, most = np.array(trained.low), np.array(trained.high)
    room = BEYOND * (most - least)
    beyond = ~((values >= least - room) & (values <= most + room))
    # A family's stresses are as far apart as its sheets: their level is the measured forces'
    beyond[:, [target.startswith(LOG_STRESS) for target in trained.targets]] = False
    reasons = [""] * len(values)
    for row in np.flatnonzero(beyond.any(axis=1)):
        k = int(np.flatnonzero(beyond[row])[0])
        reasons[row] = (
            f"would be answered {trained.targets[k]} = {values[row, k]:.4g}, trained were "
            f"{least[k]:.4g} to {most[k]:.4g}; see whether strains and forces are of one specimen"
        )
    for row in np.flatnonzero(~(novelty <= limit)):
        reasons[row] = _reason(float(novelty[row]), limit)
    strange = np.array([bool(reason) for reason in reasons])[:, None]
    kept = [np.where(strange, np.nan, part) for part in (values, low, high)]
    return Answers(kept[0], kept[1], kept[2], novelty, reasons)


def answered(
    model: TrainedModel,
    strains: ArrayLike,
    forces: ArrayLike | None = None,
    known: ArrayLike | None = None,
) -> Answers:
    """Ask a network about strains (B, strain_values), forces (B, force_values) in N, what is known.

    known: as TrainedModel takes it. Raises BadInput.
    """
    inputs = strains, forces, known
    (low, high), values = model.intervals(*inputs), model.predict(*inputs)
    novelty, trained = model.novelty(strains, forces), model.card.scaler
    return withhold(values, low, high, novelty, model.novelty_limit, trained)


def _reason(novelty: float, limit: float) -> str:
    return (
        f"is unlike all training records: novelty {novelty:.3g}, limit {limit:g}; measure it again "
        "or train on such materials"
    )
