"""How one network is trained: the campaign's settings, and the network's own laid over them."""

import math
from dataclasses import dataclass

from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.training import Precision, Schedule, Training

EVALUATIONS = 200  # of the validation set in one training, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the weights depend on beside network and data."""

    epochs: int
    batch_size: int  # over all ranks
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    seed: int
    settle_after: float  # share of the epochs
    checkpoint_every_epochs: int
    patience: int | None = None  # evaluations
    precision: Precision = "float32"

    @classmethod
    def of(cls, training: Training, network: NetworkSpec) -> "Settings":
        """Lay the network's own settings over the campaign's."""
        return cls(
            epochs=network.epochs or training.epochs,
            batch_size=network.batch_size or training.batch_size,
            learning_rate=network.learning_rate or training.learning_rate,
            weight_decay=(
                training.weight_decay if network.weight_decay is None else network.weight_decay
            ),
            schedule=network.schedule or training.schedule,
            seed=training.seed if network.seed is None else network.seed,
            settle_after=training.settle_after,
            checkpoint_every_epochs=training.checkpoint_every_epochs,
            patience=training.patience,
            precision=training.precision,
        )

    @property
    def evaluate_every_epochs(self) -> int:
        """Epochs between two looks at the validation set."""
        return max(1, math.ceil(self.epochs / EVALUATIONS))
