"""What every batch source is: the same batches in the same order, wherever the records lie."""

import os
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpc_jobs.dataset.facts import PackedFields, TargetScaler
from hpc_jobs.dataset.split import Split
from hpc_jobs.learning.feed.ahead import ahead
from hpc_jobs.learning.feed.order import ALONE, Order, Share

DEPTH = 3  # stretches made in advance
STRETCH = 4096  # records


@dataclass(frozen=True, slots=True)
class Batch:
    """A rank's part of a global batch, on the device that trains."""

    step: int
    components: Tensor  # (n, k) float32, noise-free: strains, forces if wanted, given values
    targets: Tensor  # (n, targets) float32, min-max units
    weights: Tensor | None = None  # (n, 1) float32, of each record in the loss; none: all are one

    def __len__(self) -> int:
        return len(self.components)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Batches of neighbouring steps, made and handed over as one: each costs next to nothing."""

    first: int  # step of the first
    sizes: tuple[int, ...]  # records of each
    columns: tuple[Tensor, ...]  # as a batch has them

    def pinned(self) -> "Stretch":
        """Copy it to memory that a GPU may read by itself."""
        return self._with(column.pin_memory() for column in self.columns)

    def to(self, device: torch.device) -> "Stretch":
        """Send it to the device, without waiting for its arrival."""
        return self._with(column.to(device, non_blocking=True) for column in self.columns)

    def batches(self) -> Iterator[Batch]:
        """Cut it up again."""
        sizes = list(self.sizes)
        cut = zip(*(torch.split(column, sizes) for column in self.columns), strict=True)
        for step, columns in enumerate(cut, self.first):
            yield Batch(step, *columns)

    def _with(self, columns: Iterable[Tensor]) -> "Stretch":
        return Stretch(self.first, self.sizes, tuple(columns))


@dataclass(frozen=True, slots=True)
class Records:
    """What is fed: the first `order.records` of a split, and where they must arrive."""

    split: Split
    order: Order
    scaler: TargetScaler
    device: torch.device
    components: int  # of the strains, the strongest of those that are stored
    forces: bool = False  # whether those of the forces follow them
    given: tuple[int, ...] = ()  # columns of the family's coordinates that follow these
    told: bool = False  # whether displacements of the output times follow these
    weighted: bool = False  # whether importance weights come along

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that are read."""
        forces = (PackedFields.FORCE_COMPONENTS,) if self.forces else ()
        sheet = (PackedFields.SHEET,) if self.given else ()
        told = (PackedFields.DISPLACEMENTS,) if self.told else ()
        weight = (PackedFields.WEIGHT,) if self.weighted else ()
        beside = (*forces, *sheet, *told)
        return (PackedFields.PARAMETERS, *weight, PackedFields.COMPONENTS, *beside)


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

    def _wanted(self, components: Tensor, *others: Tensor) -> Tensor:
        """(n, K) stored components of the strains, what follows them by `Records`: (n, k)."""
        strongest = components[:, : self.records.components]
        if given := self.records.given:
            sheet = int(self.records.forces)
            others = (*others[:sheet], others[sheet][:, list(given)], *others[sheet + 1 :])
        return torch.cat([strongest, *others], dim=1) if others else strongest

    def _arranged(self, *columns: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Make a batch's columns of those in the order of `Records.names`."""
        parameters, *others = map(torch.from_numpy, columns)
        weights = [others.pop(0)] if self.records.weighted else []
        return self._wanted(*others), self._scaled(parameters), *weights

    def _stretches(self, first: int) -> Iterator[range]:
        """Take steps from `first` on, so many at a time that they have about STRETCH records."""
        several = max(1, STRETCH // self.order.batch_size)
        for start in range(first, self.order.steps, several):
            yield range(start, min(start + several, self.order.steps))

    def _delivered(self, made: Generator[Stretch]) -> Generator[Batch]:
        """Hand over batches; a thread makes them in advance where it takes nobody's core."""
        device = self.records.device
        if device.type == "cpu" and not _spare_core():
            for stretch in made:
                yield from stretch.batches()
            return
        with ahead(made if device.type == "cpu" else _pinned(made), DEPTH) as ready:
            for stretch in ready:
                yield from (stretch if device.type == "cpu" else stretch.to(device)).batches()


def _spare_core() -> bool:
    return len(os.sched_getaffinity(0)) > torch.get_num_threads()


def _pinned(made: Generator[Stretch]) -> Generator[Stretch]:
    with closing(made):
        for stretch in made:
            yield stretch.pinned()
