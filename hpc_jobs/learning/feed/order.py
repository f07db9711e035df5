"""The order of the records: a pure function of (seed, epoch, global batch).

Packed files are permuted as a whole, so blocks of neighbouring records are as good as random
samples. An epoch shuffles the blocks, takes a window of them at a time and shuffles the records
of the window: a data set of one window is shuffled as a whole, a larger one can be read from
disk in long strokes. Where a data set grew, each part of it was permuted by itself: every window
takes its share of each part, so that batches are mixed as if all had been permuted together.

What a resumed training needs to know are the three integers, whatever source its records come from
and on however many ranks it ran.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
BLOCKS_PER_WINDOW = 64
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """A rank's part of a global batch: neighbouring records, equal to within one."""

    rank: int = 0
    world: int = 1

    def of(self, start: int, stop: int) -> tuple[int, int]:
        """Bounds of the rank's part of [start, stop)."""
        size = stop - start
        first = start + size * self.rank // self.world
        return first, start + size * (self.rank + 1) // self.world


ALONE = Share()


@dataclass(frozen=True)
class Order:
    """How records [0, records) are dealt to batches; every record once an epoch."""

    records: int
    batch_size: int
    seed: int
    block: int = BLOCK
    blocks_per_window: int = BLOCKS_PER_WINDOW
    parts: tuple[int, ...] = ()  # neighbouring records that were permuted together; none: all

    def __post_init__(self) -> None:
        if self.parts and sum(self.parts) != self.records:
            raise ValueError(f"parts of {self.parts} records are not the {self.records} there are")

    @cached_property
    def blocks(self) -> list[list[range]]:
        """Neighbouring records of each part, cut into blocks."""
        ends = np.cumsum(self.parts or (self.records,)).tolist()
        starts = [0, *ends[:-1]]
        return [
            [range(low, min(low + self.block, stop)) for low in range(start, stop, self.block)]
            for start, stop in zip(starts, ends, strict=True)
        ]

    @property
    def steps(self) -> int:
        """Batches of an epoch; they differ by at most one record, so none is tiny."""
        return -(-self.records // self.batch_size)

    @property
    def window(self) -> int:
        """Most records of a window; a batch lies in two windows at most."""
        return self.block * max(self.blocks_per_window, -(-self.batch_size // self.block))

    @property
    def windows(self) -> int:
        """Windows of an epoch, all equally large, where there are several parts."""
        return -(-self.records // self.window)

    @property
    def shortest(self) -> int:
        """Records of a part that are read in one stroke, at least: fewer would cost a seek each."""
        return max(1, self.block // 16)

    @property
    def largest_window(self) -> int:
        """Records that a window never exceeds: each part may add a stroke more than its share."""
        spare = len(self.parts) * (self.shortest + 1) * 2 if len(self.parts) > 1 else 0
        return min(self.records, self.window + spare)

    def bounds(self, step: int) -> tuple[int, int]:
        """First and last + 1 place of a global batch in the epoch's sequence."""
        return self.records * step // self.steps, self.records * (step + 1) // self.steps

    def epoch(self, number: int) -> "Epoch":
        """Deal one epoch."""
        return Epoch(self, number)


@dataclass(frozen=True)
class Window:
    """Blocks that are read in one go, and the order in which their records are served."""

    number: int
    start: int  # place of its first record in the epoch's sequence
    blocks: tuple[range, ...]  # neighbouring records; laid end to end they are the window
    shuffle: Rows  # places in the window, in the order in which they are served

    @property
    def stop(self) -> int:
        """Place after its last record in the epoch's sequence."""
        return self.start + len(self.shuffle)

    @cached_property
    def records(self) -> Rows:
        """Record at each place."""
        return np.concatenate([np.arange(block.start, block.stop) for block in self.blocks])


@dataclass(frozen=True, slots=True)
class Piece:
    """What one window adds to a batch."""

    window: Window
    places: Rows


@dataclass(frozen=True)
class Epoch:
    """One pass over the records, window after window."""

    order: Order
    number: int

    @property
    def windows(self) -> int:
        """Windows of the epoch."""
        return len(self._blocks)

    def pieces(self, step: int, share: Share = ALONE) -> list[Piece]:
        """Where the records of a rank's part of a global batch lie."""
        start, stop = share.of(*self.order.bounds(step))
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        pieces = []
        for number in range(first, self.windows):
            if self._starts[number] >= stop:
                break
            window = self.window(number)
            low, high = max(start, window.start), min(stop, window.stop)
            pieces.append(Piece(window, window.shuffle[low - window.start : high - window.start]))
        return pieces

    def rows(self, step: int, share: Share = ALONE) -> Rows:
        """(n,) records of a rank's part of a global batch."""
        pieces = self.pieces(step, share)
        return np.concatenate([piece.window.records[piece.places] for piece in pieces])

    def window(self, number: int) -> Window:
        """Deal one window; the last two are remembered."""
        return self._window(number)

    @cached_property
    def _window(self) -> Callable[[int], Window]:
        return lru_cache(maxsize=2)(self._deal)

    def _deal(self, number: int) -> Window:
        start, stop = self._starts[number : number + 2].tolist()
        return Window(
            number=number,
            start=start,
            blocks=tuple(self._blocks[number]),
            shuffle=self._random(1 + number).permutation(stop - start),
        )

    @cached_property
    def _blocks(self) -> list[list[range]]:
        """Blocks of each window, shuffled over the whole epoch."""
        random, parts = self._random(0), [part for part in self.order.blocks if part]
        shuffled = [[part[k] for k in random.permutation(len(part))] for part in parts]
        if len(shuffled) == 1:
            size = self.order.window // self.order.block
            [blocks] = shuffled
            return [blocks[start : start + size] for start in range(0, len(blocks), size)]
        windows: list[list[range]] = [[] for _ in range(self.order.windows)]
        for blocks in shuffled:
            strokes = self._strokes(blocks)
            places = (np.arange(len(strokes)) + random.random()) * (len(windows) / len(strokes))
            for place, stroke in zip(places.astype(int).tolist(), strokes, strict=True):
                windows[place] += stroke
        return [window for window in windows if window]

    def _strokes(self, blocks: list[range]) -> list[list[range]]:
        """Lay blocks end to end and cut them into as many equal strokes as there are windows.

        Fewer where they would be shorter than it pays to read.
        """
        ends = np.cumsum([0, *map(len, blocks)])
        total = int(ends[-1])
        count = max(1, min(self.order.windows, total // self.order.shortest))
        strokes = []
        for number in range(count):
            low, high = total * number // count, total * (number + 1) // count
            first = int(np.searchsorted(ends, low, side="right")) - 1
            last = int(np.searchsorted(ends, high, side="left"))
            cut = []
            for begin, block in zip(ends[first:last].tolist(), blocks[first:last], strict=True):
                start, stop = max(low - begin, 0), min(high - begin, len(block))
                cut.append(range(block.start + start, block.start + stop))
            strokes.append(cut)
        return strokes

    @cached_property
    def _starts(self) -> Rows:
        """(windows + 1,) place in the epoch's sequence at which each window begins."""
        return np.cumsum([0, *(sum(map(len, blocks)) for blocks in self._blocks)])

    def _random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.order.seed, self.number, purpose])
