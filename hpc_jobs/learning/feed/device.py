"""Everything on the device that trains: uploaded once, then indexed."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpc_jobs.learning.feed.order import ALONE, Share
from hpc_jobs.learning.feed.source import Batch, BatchSource, Records, Stretch

UPLOAD = 16_384  # records a time


class DeviceSource(BatchSource):
    """For data sets that fit the device's memory; on a CPU a private copy in memory."""

    name = "device"

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._columns: tuple[Tensor, ...] | None = None
        for start in range(0, self.order.records, UPLOAD):
            rows = np.arange(start, min(start + UPLOAD, self.order.records))
            self._upload(rows, *self._arranged(*records.split.gather(records.names, rows)))

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""
        assert self._columns
        dealt = self.order.epoch(epoch)
        for steps in self._stretches(first):
            rows = [dealt.rows(step, share) for step in steps]
            sent = self._sent(torch.from_numpy(np.concatenate(rows)))
            columns = tuple(column.index_select(0, sent) for column in self._columns)
            yield from Stretch(steps.start, tuple(map(len, rows)), columns).batches()

    def _sent(self, rows: Tensor) -> Tensor:
        """Send row numbers without waiting until the device is done with the batches before."""
        if self.records.device.type == "cpu":
            return rows
        return rows.pin_memory().to(self.records.device, non_blocking=True)

    def _upload(self, rows: NDArray[np.int64], *parts: Tensor) -> None:
        if self._columns is None:
            count, device = self.order.records, self.records.device
            self._columns = tuple(torch.empty(count, p.shape[1], device=device) for p in parts)
        for whole, some in zip(self._columns, parts, strict=True):
            whole[rows[0] : rows[0] + len(rows)] = some
