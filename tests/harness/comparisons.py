"""Evidence for the gate, made up: losses drawn as networks have them, paired record by record."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.gate import Comparison, Contestant, SealedSet, SheetAnswers

RECORDS = 300
SPREAD, OWN = 0.9, 0.25
"""Of the logarithms of losses: from record to record, and of one network at a record."""
TARGETS = ("MP1", "MP2")


def drawn(seed: int, error: float, records: int = RECORDS, of: int = 0) -> tuple[float, ...]:
    """Losses of mean `error`: records' difficulties are the same for every network (`of`)."""
    shared = np.random.default_rng([of, records]).standard_normal(records) * SPREAD
    own = np.random.default_rng([seed, 1]).standard_normal(records) * OWN
    law: NDArray[np.float64] = np.exp(shared + own)
    return tuple((error * law / law.mean()).tolist())


def contestant(
    error: float = 0.02,
    *,
    seed: int = 1,
    sha256: str | None = None,
    model: str = "mlp",
    records: int = RECORDS,
    sheets: dict[str, float] | None = None,
    **update: Any,
) -> Contestant:
    """Return a network with that mean loss, whose intervals hold what they promise."""
    found = Contestant(
        run_id="demo-1",
        model=model,
        sha256=sha256 or f"{seed:064x}",
        losses=drawn(seed, error, records),
        covered=dict.fromkeys(TARGETS, round(0.9 * records)),
        level=0.9,
        asked_admissible=records,
        admissible=records,
        answers_per_s=1e4,
        sheets={
            name: SheetAnswers(losses=drawn(seed + 7, value, 200, of=3))
            for name, value in ({"dp780": error} if sheets is None else sheets).items()
        },
    )
    return found.model_copy(update=update)


def sealed(records: int = RECORDS, sha256: str = "5" * 64, mean: float = 0.8) -> SealedSet:
    """Return a test set of so many records."""
    return SealedSet(
        question="0" * 16,
        version=1,
        sha256=sha256,
        records=records,
        source="demo-1",
        targets=TARGETS,
        mean_loss=mean,
    )


def comparison(
    challenger: Contestant, champion: Contestant | None = None, **update: Any
) -> Comparison:
    """Put two networks side by side."""
    return Comparison(
        validation="v1",
        sealed=sealed(len(challenger.losses)),
        challenger=challenger,
        champion=champion,
        noise_seed=41,
    ).model_copy(update=update)
