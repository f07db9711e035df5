"""Training in plain PyTorch: the loop, and nothing that the loop does not need.

Batches, noise and dropout are pure functions of (seed, epoch, global step), so a checkpoint holds
no random state and may be resumed on another number of ranks.
"""

import logging
import math
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hpc_jobs.contract.errors import ConfigurationError, CorruptFile
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.learning.errors import Diverged, Interrupted
from hpc_jobs.learning.feed.meter import InputMeter
from hpc_jobs.learning.feed.source import Batch, BatchSource
from hpc_jobs.learning.networks.network import Network
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.schedule import learning_rate
from hpc_jobs.learning.training.settings import Settings
from hpc_jobs.learning.training.state import EpochSpeed, Evaluation, TrainingState
from hpc_jobs.learning.training.team import Team

log = logging.getLogger(__name__)

CHUNK = 4096
LOSS_CHECK_STEPS = 100  # reading the loss makes the CPU wait for the GPU
TEAM_STOP_STEPS = 16  # so does asking all ranks whether to stop
_NOISE, _DROPOUT = 0, 1  # tags of random numbers

Report = Callable[[int, Evaluation | None], None]


@torch.no_grad()
def observed(network: Network, examples: Examples, device: torch.device) -> Tensor:
    """Raw noisy records as the network sees them: (n, components), on the device."""
    values = [torch.from_numpy(one) for one in (examples.strains, examples.forces)]
    if network.known_values and examples.known is not None:
        values.append(torch.from_numpy(examples.known))
    chunks = zip(*(torch.split(one, CHUNK) for one in values), strict=True)
    return torch.cat([network.observe(*(one.to(device) for one in chunk)) for chunk in chunks])


class Objective(nn.Module):
    """What is minimised: mean over the records of a batch, weighted if wanted, sum over the tasks.

    The squared error, or for Gaussian networks the negative logarithm of the likelihood,
    (log s^2 + (y - m)^2/s^2)/2 but for a constant (Nix & Weigend 1994).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, components: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Noisy (B, components), (B, targets), (B, 1) -> objective; squared error, not weighted."""
        if not self.network.gaussian:
            squares = (self.network(components) - targets).square()
            loss = squares
        else:
            mean, log_variance = self.network.moments(components)
            squares = (mean - targets).square()
            loss = 0.5 * (log_variance + squares * torch.exp(-log_variance))
        if weights is not None:
            loss = loss * weights
        return loss.mean(0).sum(), squares.mean(0).sum()


class Trainer:
    """Trains one network; resumed from a checkpoint it continues bit by bit on a CPU."""

    def __init__(
        self,
        network: Network,
        source: BatchSource,
        validation: Examples,
        settings: Settings,
        team: Team | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        self.team = team or Team()
        smallest = source.order.records // source.order.steps
        if smallest < self.team.share.world:
            raise ConfigurationError(
                f"batches of {smallest} records for {self.team.share.world} ranks; raise "
                "training.batch_size or train on fewer ranks"
            )
        self.device = self.team.device
        self.network = network.to(self.device)
        self.source = source
        self.settings = settings
        self.state = TrainingState()
        self.speed = EpochSpeed(samples_per_s=0.0, input_wait=0.0)
        objective = Objective(self.network)
        if compiled:
            objective.compile()
        self._objective = self.team.wrap(objective)
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self._loss = torch.zeros((), dtype=torch.float64, device=self.device)  # this rank's
        self._components = observed(self.network, validation, self.device)
        self._targets = torch.from_numpy(validation.scaled).to(self.device)

    def fit(self, checkpoints: Checkpoints, stop: Callable[[], bool], report: Report) -> None:
        """Train to the last epoch, then put the weights of the best one into the network.

        `report` is called after each epoch with its evaluation, if it had one. Raises Interrupted
        after a checkpoint if `stop()` says so on any rank, and Diverged.
        """
        if state := checkpoints.latest():
            self._restore(state, checkpoints)
            log.info("resuming after epoch %d, step %d", state["epoch"], state["step"])
        if self.settings.precision == "tf32" and self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        while self.state.epoch < self.settings.epochs and not self._hopeless:
            self._epoch(checkpoints, stop)
            evaluation = self._end_epoch()
            epoch = self.state.epoch
            if epoch % self.settings.checkpoint_every_epochs == 0:
                self._save(checkpoints)
            report(epoch, evaluation)
        self.network.load_state_dict(self.state.best)
        self.network.eval()

    @property
    def _hopeless(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.state.evaluations_since_best >= patience

    def _epoch(self, checkpoints: Checkpoints, stop: Callable[[], bool]) -> None:
        self.network.train()
        if self.state.epoch >= self.settings.settle_after * self.settings.epochs:
            self.network.settle()
        progress, order, meter = self.state, self.source.order, InputMeter()
        begun = progress.step
        batches = self.source.batches(progress.epoch, progress.step, self.team.share)
        with closing(batches):
            for batch in meter.metered(batches):
                if self._told_to_stop(stop):
                    self._hand_over(checkpoints)
                self._step(batch)
                progress.step += 1
        self._check_loss()
        share = (order.steps - begun) / order.steps
        self.speed = EpochSpeed(
            samples_per_s=share * order.records / meter.elapsed_s,
            input_wait=meter.waited_s / meter.elapsed_s,
        )
        progress.epoch, progress.step = progress.epoch + 1, 0

    def _told_to_stop(self, stop: Callable[[], bool]) -> bool:
        if self.team.alone:
            return stop()
        return self.state.step % TEAM_STOP_STEPS == 0 and self.team.any(stop())

    def _hand_over(self, checkpoints: Checkpoints) -> None:
        path = self._save(checkpoints)
        raise Interrupted(
            f"told to stop in epoch {self.state.epoch + 1} of {self.settings.epochs}; "
            f"run again to resume from {path.name}"
        )

    def _step(self, batch: Batch) -> None:
        order, share = self.source.order, self.team.share
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(batch.step)
        start, stop = order.bounds(batch.step)
        noise = self._noise(batch.step, stop - start)
        torch.manual_seed(self._seed(batch.step, _DROPOUT + share.rank))
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"
        ):
            loss, squared = self._objective(
                self.network.noisy(batch.components, noise), batch.targets, batch.weights
            )
        # Ranks average their gradients; parts of a batch may differ by one record.
        weighted = loss * (len(batch) * share.world / (stop - start))
        self.optimiser.zero_grad(set_to_none=True)
        weighted.backward()
        self.optimiser.step()
        self._loss += squared.detach() * (len(batch) / order.records)
        if batch.step % LOSS_CHECK_STEPS == 0:
            self._check_loss()

    def _noise(self, step: int, size: int) -> Tensor:
        """(n, noise_values): this rank's rows of what all ranks draw for the global batch."""
        generator = torch.Generator(self.device).manual_seed(self._seed(step, _NOISE))
        shape = (size, self.network.noise_values)
        whole = torch.randn(shape, generator=generator, device=self.device)
        first, last = self.team.share.of(0, size)
        return whole[first:last]

    def _seed(self, step: int, tag: int) -> int:
        entropy = (self.settings.seed, self.state.epoch, step, tag)
        return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])

    def _check_loss(self) -> float:
        value = float(self.team.total(self._loss))
        if not math.isfinite(value):
            raise Diverged(
                f"the loss is {value} in epoch {self.state.epoch + 1}; lower "
                f"training.learning_rate (it is {self.settings.learning_rate})"
            )
        return value

    def _rate(self, step: int) -> float:
        steps = self.source.order.steps
        return learning_rate(
            self.settings.schedule,
            self.settings.learning_rate,
            self.state.epoch * steps + step,
            self.settings.epochs * steps,
            steps,
        )

    def _end_epoch(self) -> Evaluation | None:
        progress, settings = self.state, self.settings
        train_loss = self._check_loss()
        self._loss.zero_()
        if progress.epoch % settings.evaluate_every_epochs and progress.epoch < settings.epochs:
            return None
        mse = self._validation_mse()
        evaluation = Evaluation(
            epoch=progress.epoch,
            rate=float(self.optimiser.param_groups[0]["lr"]),
            train_loss=train_loss,
            val_loss=float(mse.sum()),
            val_mse=tuple(mse.tolist()),
        )
        progress.note(evaluation, self.network.state_dict())
        return evaluation

    @torch.no_grad()
    def _validation_mse(self) -> Tensor:
        """(targets,), from the leader: batch statistics may differ a little between ranks."""
        mse = torch.empty(self._targets.shape[1], device=self.device)
        if self.team.leads:
            self.network.eval()
            chunks = torch.split(self._components, CHUNK)
            answers = torch.cat([self.network(chunk) for chunk in chunks])
            mse = (answers - self._targets).square().mean(0)
        return self.team.told(mse)

    def _save(self, checkpoints: Checkpoints) -> Any:
        """Write a checkpoint; every rank returns when it is in place."""
        progress = self.state
        progress.running_loss = self._check_loss()
        path = checkpoints.path(progress.epoch, progress.step)
        if self.team.leads:
            state = {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
            checkpoints.save(state | progress.encode(), progress.epoch, progress.step)
        self.team.told(torch.zeros((), device=self.device))
        return path

    def _restore(self, state: dict[str, Any], checkpoints: Checkpoints) -> None:
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.state = TrainingState.decode(state)
            self._loss.fill_(self.state.running_loss if self.team.leads else 0.0)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CorruptFile(
                f"{checkpoints.folder}: a checkpoint that calls itself one of this training holds "
                f"something else ({str(error).splitlines()[0]}); remove the folder to begin anew"
            ) from None
