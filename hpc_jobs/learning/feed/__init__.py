"""Every batch source by its name in the campaign; the contract suite runs over all of them."""

from hpc_jobs.learning.feed.device import DeviceSource
from hpc_jobs.learning.feed.ram import RamSource
from hpc_jobs.learning.feed.source import BatchSource
from hpc_jobs.learning.feed.stream import StreamSource

SOURCES: dict[str, type[BatchSource]] = {
    source.name: source for source in (DeviceSource, RamSource, StreamSource)
}
