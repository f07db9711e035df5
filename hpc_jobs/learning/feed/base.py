"""What every batch source is: the same batches in the same order, wherever the records lie."""

import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpc_jobs.learning.data.facts import PackedFields, TargetScaler
from hpc_jobs.learning.data.split import Split
from hpc_jobs.learning.feed.ahead import ahead
from hpc_jobs.learning.feed.order import ALONE, Order, Share

DEPTH = 3  # batches made in advance


@dataclass(frozen=True, slots=True)
class Batch:
    """A rank's part of a global batch, on the device that trains."""

    step: int
    components: Tensor  # (n, k) float32, noise-free: of the strains, then of the forces if wanted
    targets: Tensor  # (n, targets) float32, min-max units

    def __len__(self) -> int:
        return len(self.components)

    def pinned(self) -> "Batch":
        """Copy it to memory that a GPU may read by itself."""
        return Batch(self.step, self.components.pin_memory(), self.targets.pin_memory())

    def to(self, device: torch.device) -> "Batch":
        """Send it to the device, without waiting for its arrival."""
        components, targets = (
            column.to(device, non_blocking=True) for column in (self.components, self.targets)
        )
        return Batch(self.step, components, targets)


@dataclass(frozen=True, slots=True)
class Records:
    """What is fed: the first `order.records` of a split, and where they must arrive."""

    split: Split
    order: Order
    scaler: TargetScaler
    device: torch.device
    components: int  # of the strains, the strongest of those that are stored
    forces: bool = False  # whether those of the forces follow them

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that are read."""
        forces = (PackedFields.FORCE_COMPONENTS,) if self.forces else ()
        return (PackedFields.PARAMETERS, PackedFields.COMPONENTS, *forces)


class BatchSource(ABC):
    """Serves the batches of an epoch; a context, for it may hold threads, files and memory."""

    name: ClassVar[str]

    def __init__(self, records: Records) -> None:
        self.records = records
        self.order = records.order
        scaler = records.scaler
        low, high = (torch.tensor(x, dtype=torch.float64) for x in (scaler.low, scaler.high))
        self._low, self._span = low, high - low

    @abstractmethod
    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""

    def close(self) -> None:
        """Give back what it holds."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _scaled(self, parameters: Tensor) -> Tensor:
        """Physical targets in min-max units, rounded once, as `dataset.scale` does."""
        return ((parameters.double() - self._low) / self._span).float()

    def _wanted(self, components: Tensor, *forces: Tensor) -> Tensor:
        """(n, K) stored components of the strains, and those of the forces: (n, k) wanted ones."""
        strongest = components[:, : self.records.components]
        return torch.cat([strongest, *forces], dim=1) if forces else strongest

    def _batch(self, step: int, *columns: NDArray[np.float32]) -> Batch:
        """Make a batch of columns in the order of `Records.names`."""
        parameters, *components = map(torch.from_numpy, columns)
        return Batch(step, self._wanted(*components), self._scaled(parameters))

    def _delivered(self, made: Generator[Batch]) -> Generator[Batch]:
        """Hand over batches; a thread makes them in advance where it takes nobody's core."""
        device = self.records.device
        if device.type == "cpu" and not _spare_core():
            yield from made
            return
        with ahead(made if device.type == "cpu" else _pinned(made), DEPTH) as ready:
            for batch in ready:
                yield batch if device.type == "cpu" else batch.to(device)


def _spare_core() -> bool:
    return len(os.sched_getaffinity(0)) > torch.get_num_threads()


def _pinned(made: Generator[Batch]) -> Generator[Batch]:
    with closing(made):
        for batch in made:
            yield batch.pinned()
