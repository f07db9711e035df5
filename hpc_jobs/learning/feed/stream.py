"""Larger than memory: windows of blocks are read by threads while the window before is served."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.dataset.packed import Column
from hpc_jobs.learning.feed.order import ALONE, Epoch, Piece, Share, Window
from hpc_jobs.learning.feed.source import Batch, BatchSource, Records, Stretch

READERS = 2
Buffer = dict[str, NDArray[np.float32]]


class StreamSource(BatchSource):
    """Two buffers of one window each; a window is read by pread at the columns' offsets.

    No HDF5 lock is held and no Python lock while reading: the threads are real ones.
    """

    name = "stream"

    def __init__(self, records: Records, readers: int = READERS) -> None:
        super().__init__(records)
        largest = self.order.largest_window
        split = records.split
        self._buffers: list[Buffer] = [
            {
                name: np.empty((largest, split.width(name)), np.float32)
                for name in self.records.names
            }
            for _ in range(2)
        ]
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="read-blocks")

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""
        return self._delivered(self._made(epoch, first, share))

    def close(self) -> None:
        """End the readers."""
        self._pool.shutdown(cancel_futures=True)

    def _made(self, epoch: int, first: int, share: Share) -> Generator[Stretch]:
        windows = _Windows(self, self.order.epoch(epoch))
        try:
            for steps in self._stretches(first):
                pieces = [windows.epoch.pieces(step, share) for step in steps]
                sizes = tuple(sum(len(piece.places) for piece in some) for some in pieces)
                columns = windows.take([piece for some in pieces for piece in some])
                yield Stretch(steps.start, sizes, self._arranged(*columns))
        finally:
            windows.settle()

    def read(self, window: Window) -> list["Future[None]"]:
        """Begin to read a window into the buffer of its parity, block by block."""
        buffer, place, futures = self._buffers[window.number % 2], 0, []
        for block in window.blocks:
            futures.append(self._pool.submit(self._read_block, block, buffer, place))
            place += len(block)
        return futures

    def buffer(self, number: int) -> list[NDArray[np.float32]]:
        """Columns of a window, once it is read."""
        return list(self._buffers[number % 2].values())

    def _read_block(self, block: range, buffer: Buffer, place: int) -> None:
        """Read a block, whose file is opened for it: thousands at a time would be too many."""
        split = self.records.split
        for index, rows, behind in split.strokes(block):
            start = place + behind
            parts = {name: buffer[name][start : start + len(rows)] for name in self.records.names}
            columns = {name: split.column(name, index) for name in parts}
            path = next(column.path for column in columns.values() if column)
            handle = os.open(path, os.O_RDONLY)
            try:
                for name, into in parts.items():
                    if column := columns[name]:
                        _pread(handle, column, rows, into)
                    else:
                        into[:] = 1
            finally:
                os.close(handle)


def _pread(handle: int, column: Column, rows: range, into: NDArray[np.float32]) -> None:
    view, offset = (
        memoryview(into.data).cast("B"),
        column.offset + rows.start * column.row_bytes,
    )
    while view:
        got = os.preadv(handle, [view], offset)
        if got == 0:
            raise CorruptFile(
                f"{column.path}: ends at byte {offset}, {len(view)} bytes too early; it was "
                "cut short while it was read: publish the dataset again"
            )
        view, offset = view[got:], offset + got


class _Windows:
    """Which window each of the two buffers holds, or is about to."""

    def __init__(self, source: StreamSource, epoch: Epoch) -> None:
        self.epoch = epoch
        self._source = source
        self._held: list[int | None] = [None, None]
        self._reading: list[list[Future[None]]] = [[], []]

    def take(self, pieces: Sequence[Piece]) -> list[NDArray[np.float32]]:
        """Copy records out of their windows, once; the next window is read meanwhile.

        Pieces come in the order of the epoch: once a window is asked for, everything wanted of
        the one before has been copied out, and its buffer is free.
        """
        records, place = sum(len(piece.places) for piece in pieces), 0
        widths = [column.shape[1] for column in self._source.buffer(0)]
        columns = [np.empty((records, width), np.float32) for width in widths]
        for piece in pieces:
            self._wait_for(piece.window.number)
            stop = place + len(piece.places)
            for held, column in zip(
                self._source.buffer(piece.window.number), columns, strict=True
            ):  # all places lie in the window: to look for others first would cost a copy
                np.take(held, piece.places, axis=0, out=column[place:stop], mode="clip")
            place = stop
        return columns

    def _wait_for(self, number: int) -> None:
        """Have a window read, and the one after it begun."""
        self._begin(number)
        if number + 1 < self.epoch.windows:
            self._begin(number + 1)
        for future in self._reading[number % 2]:
            future.result()

    def settle(self) -> None:
        """Wait for reads under way: their buffers may be wanted by another epoch."""
        for future in (*self._reading[0], *self._reading[1]):
            if not future.cancel():
                future.exception()

    def _begin(self, number: int) -> None:
        slot = number % 2
        if self._held[slot] == number:
            return
        for future in self._reading[slot]:
            future.result()
        self._held[slot] = number
        self._reading[slot] = self._source.read(self.epoch.window(number))
