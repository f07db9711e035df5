"""Files mapped into memory: one copy per node, in the page cache, for all ranks on it."""

from collections.abc import Generator

import numpy as np

from hpc_jobs.learning.feed.order import ALONE, Share
from hpc_jobs.learning.feed.source import Batch, BatchSource, Stretch


class RamSource(BatchSource):
    """For data sets that fit the node's memory; gathers the rows of each batch."""

    name = "ram"

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""
        return self._delivered(self._made(epoch, first, share))

    def _made(self, epoch: int, first: int, share: Share) -> Generator[Stretch]:
        dealt, records = self.order.epoch(epoch), self.records
        for steps in self._stretches(first):
            rows = [dealt.rows(step, share) for step in steps]
            columns = records.split.gather(records.names, np.concatenate(rows))
            yield Stretch(steps.start, tuple(map(len, rows)), self._arranged(*columns))
