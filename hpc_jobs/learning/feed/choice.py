"""Which source serves a data set, by its size and the memory that is there."""

import logging
from pathlib import Path

import torch

from hpc_jobs.contract.training import SourceName
from hpc_jobs.learning.feed import SOURCES
from hpc_jobs.learning.feed.source import BatchSource, Records

log = logging.getLogger(__name__)

DEVICE_SHARE = 0.5  # of the free device memory: the rest is for weights and activations
MEMORY_SHARE = 0.6  # of the available memory


def open_source(name: SourceName, records: Records) -> BatchSource:
    """Open the source of that name; "auto" takes the fastest that fits."""
    chosen = choose(record_bytes(records), records.device) if name == "auto" else name
    log.info("%d records from the source '%s'", records.order.records, chosen)
    return SOURCES[chosen](records)


def choose(size: int, device: torch.device) -> str:
    """Name the fastest source that `size` bytes fit; on a CPU a private copy gains nothing."""
    if device.type == "cuda" and size <= DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
        return "device"
    return "ram" if size <= MEMORY_SHARE * available_bytes() else "stream"


def record_bytes(records: Records) -> int:
    """Bytes of everything that an epoch reads."""
    widths = (records.split.columns[name][0].row_bytes for name in records.names)
    return records.order.records * sum(widths)


def available_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that this job may still fill: the machine's, or its control group's if that is less.

    The page cache counts against the group's limit, but gives way: the limit itself is taken.
    """
    lines = (proc / "meminfo").read_text().splitlines()
    machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min([machine, *_group_limits(proc, cgroup)])


def _group_limits(proc: Path, cgroup: Path) -> list[int]:
    try:
        own = (proc / "self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return []
    folder, limits = cgroup / own, []
    while folder.is_relative_to(cgroup):
        limit = folder / "memory.max"
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            limits.append(int(text))
        folder = folder.parent
    return limits
