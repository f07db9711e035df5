"""Training in plain PyTorch: the loop, and nothing that the loop does not need."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.training import Schedule, Training
from hpc_jobs.learning.checkpoint import Checkpoints
from hpc_jobs.learning.dataset import BatchSource, Examples
from hpc_jobs.learning.errors import Diverged, Interrupted
from hpc_jobs.learning.networks.base import Network
from hpc_jobs.learning.schedule import learning_rate

log = logging.getLogger(__name__)

EVALUATIONS = 200  # of the validation set in one training, at most
CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one network is trained: the campaign's settings, with the network's own pace."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    seed: int
    settle_after: float  # share of the epochs
    checkpoint_every_epochs: int

    @classmethod
    def of(cls, training: Training, network: NetworkSpec) -> "Plan":
        """Lay the network's own pace over the campaign's."""
        return cls(
            epochs=network.epochs or training.epochs,
            batch_size=network.batch_size or training.batch_size,
            learning_rate=network.learning_rate or training.learning_rate,
            weight_decay=(
                training.weight_decay if network.weight_decay is None else network.weight_decay
            ),
            schedule=training.schedule,
            seed=training.seed,
            settle_after=training.settle_after,
            checkpoint_every_epochs=training.checkpoint_every_epochs,
        )

    @property
    def evaluate_every_epochs(self) -> int:
        """Epochs between two looks at the validation set."""
        return max(1, math.ceil(self.epochs / EVALUATIONS))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the network did at the end of an epoch."""

    epoch: int  # from 1
    rate: float
    train_loss: float  # sum over the tasks, noisy batches, while the weights moved
    val_loss: float  # sum over the tasks
    val_mse: tuple[float, ...]  # per target


@dataclass
class _Progress:
    """Everything beside weights and optimiser that a resumed training needs."""

    epoch: int = 0  # whole epochs done
    step: int = 0  # steps done of the next one
    running_loss: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Evaluation] = field(default_factory=list)


Report = Callable[[int, Evaluation | None], None]


class Trainer:
    """Trains one network; resumed from a checkpoint it continues bit by bit on a CPU."""

    def __init__(
        self,
        network: Network,
        source: BatchSource,
        validation: Examples,
        plan: Plan,
        device: torch.device,
    ) -> None:
        self.network = network.to(device)
        self.source = source
        self.plan = plan
        self.device = device
        self.progress = _Progress()
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=plan.learning_rate,
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self._strains = torch.from_numpy(validation.strains)
        self._targets = torch.from_numpy(validation.scaled).to(device)

    def fit(self, checkpoints: Checkpoints, stop: Callable[[], bool], report: Report) -> None:
        """Train to the last epoch, then put the weights of the best one into the network.

        `report` is called after each epoch with its evaluation, if it had one. Raises Interrupted
        after a checkpoint if `stop()` says so, and Diverged.
        """
        if state := checkpoints.latest():
            self._restore(state)
            log.info("resuming after epoch %d, step %d", state["epoch"], state["step"])
        while self.progress.epoch < self.plan.epochs:
            self._epoch(checkpoints, stop)
            evaluation = self._end_epoch()
            epoch = self.progress.epoch
            if epoch % self.plan.checkpoint_every_epochs == 0:
                self._save(checkpoints)
            report(epoch, evaluation)
        self.network.load_state_dict(self.progress.best)
        self.network.eval()

    def _epoch(self, checkpoints: Checkpoints, stop: Callable[[], bool]) -> None:
        self.network.train()
        if self.progress.epoch >= self.plan.settle_after * self.plan.epochs:
            self.network.settle()
        progress, order = self.progress, self.source.order(self.progress.epoch)
        while progress.step < len(order):
            if stop():
                path = self._save(checkpoints)
                raise Interrupted(
                    f"told to stop in epoch {progress.epoch + 1} of {self.plan.epochs}; "
                    f"run again to resume from {path.name}"
                )
            rows = order[progress.step]
            loss = self._step(rows)
            progress.running_loss += loss * len(rows) / len(self.source.rows)
            progress.step += 1
        progress.epoch, progress.step = progress.epoch + 1, 0

    def _step(self, rows: Any) -> float:
        progress = self.progress
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(progress.step)
        strains, targets = self.source.batch(progress.epoch, progress.step, rows)
        answer = self.network(torch.from_numpy(strains).to(self.device))
        wanted = torch.from_numpy(targets).to(self.device)
        loss = (answer - wanted).square().mean(0).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(
                f"the loss is {value} in epoch {progress.epoch + 1}; lower training.learning_rate "
                f"(it is {self.plan.learning_rate})"
            )
        return value

    def _rate(self, step: int) -> float:
        steps = self.source.steps
        return learning_rate(
            self.plan.schedule,
            self.plan.learning_rate,
            self.progress.epoch * steps + step,
            self.plan.epochs * steps,
            steps,
        )

    def _end_epoch(self) -> Evaluation | None:
        progress, plan = self.progress, self.plan
        train_loss, progress.running_loss = progress.running_loss, 0.0
        if progress.epoch % plan.evaluate_every_epochs and progress.epoch < plan.epochs:
            return None
        mse = (self._answers() - self._targets).square().mean(0)
        evaluation = Evaluation(
            epoch=progress.epoch,
            rate=float(self.optimiser.param_groups[0]["lr"]),
            train_loss=train_loss,
            val_loss=float(mse.sum()),
            val_mse=tuple(mse.tolist()),
        )
        progress.history.append(evaluation)
        if evaluation.val_loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = evaluation.val_loss, progress.epoch
            state = self.network.state_dict()
            progress.best = {name: value.detach().clone() for name, value in state.items()}
        return evaluation

    @torch.no_grad()
    def _answers(self) -> Tensor:
        self.network.eval()
        chunks = torch.split(self._strains, CHUNK)
        return torch.cat([self.network(chunk.to(self.device)) for chunk in chunks])

    def _save(self, checkpoints: Checkpoints) -> Any:
        progress = self.progress
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            "epoch": progress.epoch,
            "step": progress.step,
            "running_loss": progress.running_loss,
            "best_loss": progress.best_loss,
            "best_epoch": progress.best_epoch,
            "best": progress.best,
            "history": [
                (one.epoch, one.rate, one.train_loss, one.val_loss, one.val_mse)
                for one in progress.history
            ],
        }
        return checkpoints.save(state, progress.epoch, progress.step)

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        if self.device.type == "cuda" and state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"])
        names = ("epoch", "step", "running_loss", "best_loss", "best_epoch", "best")
        self.progress = _Progress(
            **{name: state[name] for name in names},
            history=[Evaluation(*one) for one in state["history"]],
        )
