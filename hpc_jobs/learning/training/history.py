"""A training's epochs, kept beside its figures: a committee draws its members' from them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import publish
from hpc_jobs.learning.training.state import Evaluation

HISTORY = "figures/history.json"


def write_history(path: Path, history: Sequence[Evaluation]) -> None:
    """Publish the epochs as JSON."""
    with publish(path) as temporary:
        temporary.write_text(json.dumps([asdict(one) for one in history]) + "\n")


def read_history(folder: Path) -> list[Evaluation]:
    """Read the epochs of the model in a folder; none of a model that an older version trained.

    Raises CorruptFile for a file that holds something else.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text())
        return [Evaluation(**{**row, "val_mse": tuple(row["val_mse"])}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFile(f"{path}: not a training's epochs: {error}; train it again") from None
