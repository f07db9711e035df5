"""How far a training is: everything beside weights and optimiser that a resumed one needs."""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the network did at the end of an epoch."""

    epoch: int  # from 1
    rate: float
    train_loss: float  # sum over the tasks, noisy batches, while the weights moved
    val_loss: float  # sum over the tasks
    val_mse: tuple[float, ...]  # per target


@dataclass(frozen=True, slots=True)
class EpochSpeed:
    """How fast an epoch went; by the clock, so never part of what must be reproduced."""

    samples_per_s: float  # over all ranks
    input_wait: float  # share of the epoch that waited for batches


@dataclass
class TrainingState:
    """Where a training is, and the best it has seen."""

    epoch: int = 0  # whole epochs done
    step: int = 0  # steps done of the next one
    running_loss: float = 0.0  # of those steps, over all ranks
    best_loss: float = math.inf
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Evaluation] = field(default_factory=list)

    @property
    def evaluations_since_best(self) -> int:
        """Looks at the validation set that found nothing better."""
        return sum(one.epoch > self.best_epoch for one in self.history)

    def note(self, evaluation: Evaluation, weights: dict[str, Tensor]) -> None:
        """Remember an evaluation, and the weights if they are the best yet."""
        self.history.append(evaluation)
        if evaluation.val_loss < self.best_loss:
            self.best_loss, self.best_epoch = evaluation.val_loss, evaluation.epoch
            self.best = {name: value.detach().clone() for name, value in weights.items()}

    def encode(self) -> dict[str, Any]:
        """Plain values and tensors: what torch loads with weights_only."""
        names = ("epoch", "step", "running_loss", "best_loss", "best_epoch", "best")
        return {name: getattr(self, name) for name in names} | {
            "history": [
                (one.epoch, one.rate, one.train_loss, one.val_loss, one.val_mse)
                for one in self.history
            ]
        }

    @classmethod
    def decode(cls, state: dict[str, Any]) -> "TrainingState":
        """From `encode`."""
        names = ("epoch", "step", "running_loss", "best_loss", "best_epoch", "best")
        return cls(
            **{name: state[name] for name in names},
            history=[Evaluation(*one) for one in state["history"]],
        )
