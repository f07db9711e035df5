"""Which source serves a data set, by its size and the memory that is there."""

import logging

import torch

from hpc_jobs.contract.training import SourceName
from hpc_jobs.learning.feed import SOURCES
from hpc_jobs.learning.feed.memory import available_bytes
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
