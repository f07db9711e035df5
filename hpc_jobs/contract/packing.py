"""How large a packing is, and how many elements it pays to give it."""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.training import STORED_COMPONENTS

MIB = 1 << 20
UNIT_BYTES = 500_000_000
"""Shards are dealt in units of about so many bytes; as many elements as units, at most, have work.

Not a setting: what is packed must not depend on how much memory a job was given.
"""
BESIDES = 0.4
"""Share of the memory that holds the records of a run; the rest is for code, a shard and a file."""


def record_bytes(campaign: Campaign) -> int:
    """Bytes of one training record in a packed file."""
    specimens = campaign.specimens
    components = min(STORED_COMPONENTS, specimens.strain_values)
    others = len(campaign.targets) + len(campaign.family.coordinates)
    others += len(specimens.told_displacements)
    floats = specimens.strain_values + 2 * specimens.force_values + components + others
    return 4 * floats + 2 * 8  # and where it comes from


def fits_at_once(campaign: Campaign, records: int, memory_mib: int) -> bool:
    """Whether one element holds so many records while it packs them."""
    return records * record_bytes(campaign) <= BESIDES * memory_mib * MIB


def packing_elements(campaign: Campaign, records: int) -> int:
    """Elements that deal and pack a round of so many records; 0 if publishing it does it all."""
    if fits_at_once(campaign, records, packing_memory_mib(campaign, "publish_dataset")):
        return 0
    units = -(-records * record_bytes(campaign) // UNIT_BYTES)
    return min(units, campaign.packing.elements)


def packing_memory_mib(campaign: Campaign, job: Job) -> int:
    """Memory that an element of a packing job uses: the setting, and no more than it asked for."""
    asked = campaign.execution.resources_for(job)
    return min(campaign.packing.memory_mib, asked.memory_mib)
