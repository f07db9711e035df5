"""What of a campaign is hopeless, as far as its file alone can tell: known before anything runs.

A campaign may be valid and still end in an error that its numbers decided on the first day: too few
records to calibrate an interval, more components than records, a budget below what the simulations
take. Each line names the key, the value and the remedy. What is doubted here cannot work; what
passes may still fail.
"""

import math
from collections.abc import Iterator

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.validation import INTERVAL_LEVEL

HOUR_S = 3600.0
INCREMENT_S = 3e-7
"""Of one element of a mesh on one core, by the native solver; docs/mesh-convergence.md."""
FASTEST_INCREMENT_S = 1e-7
"""No core is known that needs less."""
START_S = 10
"""In less, a job has hardly started when it is told to hand over."""
LEAST_MIB: dict[Job, int] = {"solve_shard": 64, "train": 300, "search": 300, "train_finalist": 300}
"""What Python alone takes with what these jobs import."""


def hopeless(campaign: Campaign) -> Iterator[str]:
    """Say what cannot come to a good end, a line a complaint; nothing where there is hope."""
    yield from _calibration(campaign)
    yield from _batches(campaign)
    yield from _components(campaign)
    yield from _starts(campaign)
    if campaign.provenance == "simulation":
        yield from _walltimes(campaign)
        yield from _budget(campaign)


def fewest_calibration_records(level: float = INTERVAL_LEVEL) -> int:
    """Count the records without which no interval of finite width keeps the level."""
    return math.ceil(round(level / (1 - level), 9))


def held_out(campaign: Campaign) -> int:
    """Training records that no network is fitted to, if every simulation succeeds."""
    records = campaign.design.train_records
    asked = round(campaign.training.validation_fraction * records)
    return min(max(1, asked), records - 1)


def expected_core_hours(campaign: Campaign, increment_s: float = INCREMENT_S) -> float:
    """Core-hours of the campaign's first round of simulations, by the native solver."""
    return campaign.design.records * _record_s(campaign, increment_s) / HOUR_S


def _record_s(campaign: Campaign, increment_s: float) -> float:
    """Seconds of one record on specimens.mesh, or on the cheapest mesh that records have."""
    specimens = campaign.specimens
    elements = min(level.mesh.elements for level in campaign.levels)
    increments = specimens.output_times * specimens.steps_per_output * len(specimens.tests)
    return elements * increments * increment_s


def _calibration(campaign: Campaign) -> Iterator[str]:
    needed, fraction = fewest_calibration_records(), campaign.training.validation_fraction
    calibrating = held_out(campaign) // 2
    if calibrating < needed:
        enough = math.ceil(2 * needed / fraction)
        yield (
            f"design.train_records is {campaign.design.train_records} and "
            f"training.validation_fraction {fraction:g}, which leaves {calibrating} records to "
            f"calibrate {INTERVAL_LEVEL:.0%} intervals on, and they need {needed}; give "
            f"{enough} records or more, or a larger fraction"
        )


def _batches(campaign: Campaign) -> Iterator[str]:
    fitted = campaign.design.train_records - held_out(campaign)
    asked = campaign.execution.resources_for("train")
    ranks = asked.nodes * asked.tasks_per_node
    sizes = {"training.batch_size": campaign.training.batch_size}
    for network in campaign.training.networks:
        if network.batch_size is not None:
            sizes[f"batch_size of network '{network.name}'"] = network.batch_size
    for key, size in sizes.items():
        smallest = fitted // -(-fitted // size)
        if smallest < ranks:
            yield (
                f"{key} is {size}, which makes batches of {smallest} of the {fitted} records that "
                f"are fitted, for {ranks} processes (execution.resources.train); raise it, or ask "
                "for fewer processes"
            )


def _components(campaign: Campaign) -> Iterator[str]:
    records = campaign.design.train_records
    for network in campaign.training.networks:
        if network.components > records:
            yield (
                f"components of network '{network.name}' is {network.components}, more than "
                f"design.train_records, {records}, can have; take {records} or fewer"
            )


def _starts(campaign: Campaign) -> Iterator[str]:
    searched: tuple[Job, ...] = ("search", "train_finalist") if campaign.search else ()
    for job in ("solve_shard", "train", *searched):
        asked, least = campaign.execution.resources_for(job), LEAST_MIB[job]
        if asked.walltime_s < START_S:
            yield (
                f"execution.resources.{job}.walltime_s is {asked.walltime_s}, and a job needs as "
                f"long to start and to hand over; give {START_S} s or more"
            )
        if asked.memory_mib < least:
            yield (
                f"execution.resources.{job}.memory_mib is {asked.memory_mib}, less than its "
                f"program takes before it works; give {least} or more"
            )


def _walltimes(campaign: Campaign) -> Iterator[str]:
    walltime_s = campaign.execution.resources_for("solve_shard").walltime_s
    record_s = _record_s(campaign, FASTEST_INCREMENT_S)
    if record_s > walltime_s:
        yield (
            f"execution.resources.solve_shard.walltime_s is {walltime_s}, but one record takes at "
            f"least {record_s:.0f} s on this mesh; give more, or a coarser specimens.mesh"
        )


def _budget(campaign: Campaign) -> Iterator[str]:
    budget = campaign.execution.budget_core_hours
    least = expected_core_hours(campaign, FASTEST_INCREMENT_S)
    if budget is not None and least > budget:
        yield (
            f"execution.budget_core_hours is {budget:g}, but the {campaign.design.records} records "
            f"of design take at least {least:.3g} core-hours and about "
            f"{expected_core_hours(campaign):.3g}; give more, or fewer records"
        )
