"""The ranks that train one network together; alone, everything here costs nothing.

Where the ranks come from (torchrun, Slurm, PBS) is the job's business: hpc_jobs.runtime.ranks.
"""

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_jobs.learning.feed.order import Share


@dataclass(frozen=True, slots=True)
class Team:
    """A process among its peers; with more than one the process group is up already."""

    share: Share = field(default_factory=Share)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this rank evaluates, reports and writes files."""
        return self.share.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody to agree with."""
        return self.share.world == 1

    def wrap(self, module: nn.Module) -> nn.Module:
        """Let backward average the gradients over the ranks."""
        if self.alone:
            return module
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
            return DistributedDataParallel(module, device_ids=[self.device.index])
        return DistributedDataParallel(module)

    def any(self, flag: bool) -> bool:
        """Whether it is so on some rank; all of them learn the same answer."""
        if self.alone:
            return flag
        asked = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return bool(asked)

    def total(self, value: Tensor) -> Tensor:
        """Sum over the ranks."""
        if not self.alone:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def told(self, values: Tensor) -> Tensor:
        """Take over what the leader says; the others pass a tensor of the same shape and type."""
        if not self.alone:
            dist.broadcast(values, src=0)
        return values
