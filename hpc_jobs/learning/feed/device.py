"""Everything on the device that trains: uploaded once, then indexed."""

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from hpc_jobs.learning.data.facts import PackedFields
from hpc_jobs.learning.feed.base import Batch, BatchSource, Records
from hpc_jobs.learning.feed.order import ALONE, Share

UPLOAD = 16_384  # records a time


class DeviceSource(BatchSource):
    """For data sets that fit the device's memory; on a CPU a private copy in memory."""

    name = "device"

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._columns = [self._uploaded(name) for name in records.names]

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""
        dealt = self.order.epoch(epoch)
        for step in range(first, self.order.steps):
            rows = torch.from_numpy(dealt.rows(step, share)).to(self.records.device)
            strains, targets, *forces = (c.index_select(0, rows) for c in self._columns)
            yield Batch(
                step=step,
                strains=strains,
                forces=forces[0] if forces else strains.new_empty((len(rows), 0)),
                targets=targets,
            )

    def _uploaded(self, name: str) -> Tensor:
        split, count = self.records.split, self.order.records
        whole = torch.empty((count, split.width(name)), device=self.records.device)
        for start in range(0, count, UPLOAD):
            stop = min(start + UPLOAD, count)
            (values,) = split.gather((name,), np.arange(start, stop))
            part = torch.from_numpy(values)
            whole[start:stop] = self._scaled(part) if name == PackedFields.PARAMETERS else part
        return whole
