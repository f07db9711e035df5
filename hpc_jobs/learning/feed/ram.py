"""Files mapped into memory: one copy per node, in the page cache, for all ranks on it."""

from collections.abc import Generator

from hpc_jobs.learning.feed.base import Batch, BatchSource
from hpc_jobs.learning.feed.order import ALONE, Share


class RamSource(BatchSource):
    """For data sets that fit the node's memory; gathers the rows of each batch."""

    name = "ram"

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield the rank's part of the epoch's batches, from global step `first` on."""
        return self._delivered(self._made(epoch, first, share))

    def _made(self, epoch: int, first: int, share: Share) -> Generator[Batch]:
        dealt = self.order.epoch(epoch)
        for step in range(first, self.order.steps):
            columns = self.records.split.gather(self.records.names, dealt.rows(step, share))
            yield self._batch(step, *columns)
