"""How records are packed into a dataset: in bounded memory, by as many elements as it pays."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hpc_jobs.contract.frozen import Frozen, Positive

if TYPE_CHECKING:
    from hpc_jobs.contract.campaign import Campaign

MIB = 1 << 20
UNIT_BYTES = 500_000_000
"""Shards are dealt in units of about so many bytes; as many elements as units, at most, have work.

Not a setting: what is packed must not depend on how much memory a job was given.
"""
BESIDES = 0.4
"""Share of the memory that holds the records of a run; the rest is for code, a shard and a file."""


class Packing(Frozen):
    """What one element of the packing jobs may use, and when components are found anew."""

    memory_mib: Annotated[
        int,
        Field(ge=512, le=4_000_000, description="of one element, never above what its job asks"),
    ] = 2048
    elements: Annotated[
        int, Field(ge=1, le=10_000, description="at most so many deal, and then so many pack")
    ] = 16
    new_components_above: Annotated[
        Positive,
        Field(
            description="variance of new records that the components do not carry, summed over all "
            "directions, in units of the noise's in one: above it they are found anew"
        ),
    ] = 0.1


def record_bytes(campaign: "Campaign") -> int:
    """Bytes of one training record in a packed file."""
    from hpc_jobs.contract.training import STORED_COMPONENTS

    specimens = campaign.specimens
    components = min(STORED_COMPONENTS, specimens.strain_values)
    others = len(campaign.targets) + len(campaign.family.coordinates)
    floats = specimens.strain_values + 2 * specimens.force_values + components + others
    return 4 * floats + 2 * 8  # and where it comes from


def fits_at_once(campaign: "Campaign", records: int, memory_mib: int) -> bool:
    """Whether one element holds so many records while it packs them."""
    return records * record_bytes(campaign) <= BESIDES * memory_mib * MIB


def packing_elements(campaign: "Campaign", records: int) -> int:
    """Elements that deal and pack a round of so many records; 0 if publishing it does it all."""
    if fits_at_once(campaign, records, packing_memory_mib(campaign, "publish_dataset")):
        return 0
    units = -(-records * record_bytes(campaign) // UNIT_BYTES)
    return min(units, campaign.packing.elements)


def packing_memory_mib(campaign: "Campaign", job: str) -> int:
    """Memory that an element of a packing job uses: the setting, and no more than it asked for."""
    asked = campaign.execution.resources_for(job)  # type: ignore[arg-type]
    return min(campaign.packing.memory_mib, asked.memory_mib)
