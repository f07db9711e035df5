"""What a campaign will cost on a cluster, before it is spent: by step, and what to ask for.

A pure function of the campaign and the rates. Each step is an array job; walltimes and memory to
ask for leave room: twice what was measured, four times what is assumed.
"""

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import ON_GPU_CLUSTER, Job, ResourceRequest
from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.increments import increments, validation_increments
from hpc_jobs.contract.packing import MIB, packing_elements, record_bytes
from hpc_jobs.contract.rates import (
    GPU_FACTOR,
    PACKING,
    Rate,
    Rates,
    fitted_records,
)

HOUR_S = 3600.0
ROOM = {True: 2.0, False: 4.0}
"""Walltime to ask for over what is expected, by whether it was measured."""
MEMORY_ROOM = {True: 1.3, False: 1.5}
LEAST_WALLTIME_S, STEP_S = 600, 300
LONGEST_WALLTIME_S = 30 * 86400
INTERPRETER_MIB, TORCH_MIB = 300, 900
"""Of a job with numpy and h5py; of one with torch."""
REHEARSED_S = 5e-4
"""Of a rehearsed record."""
SHARD_COPIES = 3
"""A shard's columns, what is written of them, and the last part."""


class StepCosts(Frozen):
    """One array job of a campaign."""

    job: Job
    elements: Annotated[int, Field(ge=1)]
    element_s: Annotated[float, Field(ge=0, description="expected of the longest")]
    at_once: Annotated[int, Field(ge=1, description="elements that run side by side")]
    core_hours: Annotated[float, Field(ge=0)]
    gpu_hours: Annotated[float, Field(ge=0)]
    memory_mib: Annotated[float, Field(ge=0, description="expected of an element")]
    measured: Annotated[bool, Field(description="the time; else it is assumed")]
    memory_measured: bool
    asked: Annotated[ResourceRequest, Field(description="what to ask for: an element's resources")]
    asked_now: Annotated[ResourceRequest, Field(description="what the campaign asks for")]

    @property
    def wall_s(self) -> float:
        """Expected from the first element's begin to the last's end."""
        return math.ceil(self.elements / self.at_once) * self.element_s

    @property
    def shortage(self) -> str:
        """Say what the campaign's own resources lack for this step; "" if nothing."""
        lacking = []
        if self.element_s > self.asked_now.walltime_s:
            lacking.append(
                f"walltime_s {self.asked_now.walltime_s} of {self.element_s:.0f} expected"
            )
        if self.memory_mib > self.asked_now.memory_mib:
            lacking.append(
                f"memory_mib {self.asked_now.memory_mib} of {self.memory_mib:.0f} expected"
            )
        return f"{self.job}: {', '.join(lacking)}" if lacking else ""


class Costs(Frozen):
    """What a campaign's first round, training and validation take."""

    campaign: Slug
    records: int
    rates: Annotated[str, Field(description="where the rates come from")]
    steps: tuple[StepCosts, ...]
    waiting_s: Annotated[float, Field(ge=0, description="in queues, one usual wait a step")]
    disk_gib: Annotated[dict[str, float], Field(description="what lies there -> GiB")]
    nodes: Annotated[int | None, Field(description="that the simulations fill, if that is known")]

    @property
    def core_hours(self) -> float:
        """Of all steps, every core that is granted counted."""
        return sum(step.core_hours for step in self.steps)

    @property
    def gpu_hours(self) -> float:
        """Of all steps."""
        return sum(step.gpu_hours for step in self.steps)

    @property
    def wall_s(self) -> float:
        """From trigger to report, one step after the other, without waiting in queues."""
        return sum(step.wall_s for step in self.steps if step.job != "warm_kernels")

    @property
    def sentence(self) -> str:
        """One line for a form: what it costs and how long it takes."""
        gpu = f", {_number(self.gpu_hours)} GPU-hours" if self.gpu_hours else ""
        return (
            f"about {_number(self.core_hours)} core-hours{gpu}, {duration(self.wall_s)} beside "
            f"waiting in queues, {sum(self.disk_gib.values()):.2g} GiB"
        )


def costs(
    campaign: Campaign,
    rates: Rates | None = None,
    cpu: Cluster | None = None,
    gpu: Cluster | None = None,
    cores: int | None = None,
) -> Costs:
    """Estimate a campaign's costs.

    Parameters
    ----------
    cpu, gpu
        The clusters, where they are known: for queues, nodes, memory.
    cores
        What a cluster grants at once; all elements run side by side if it is not said.
    """
    used = rates or Rates()
    steps = tuple(_Estimate(campaign, used, cores).steps())
    waits = {False: cpu.queue_wait_s if cpu else 0.0, True: gpu.queue_wait_s if gpu else 0.0}
    solving = next(step for step in steps if step.job == "solve_shard")
    nodes = None
    if cpu and cpu.cores_per_node:
        nodes = math.ceil(solving.at_once * solving.asked.cpus / cpu.cores_per_node)
    return Costs(
        campaign=campaign.name,
        records=campaign.design.records,
        rates=used.source,
        steps=steps,
        waiting_s=sum(waits[step.job in ON_GPU_CLUSTER] for step in steps),
        disk_gib=disk_gib(campaign),
        nodes=nodes,
    )


def shard_record_bytes(campaign: Campaign) -> int:
    """Bytes of one record in a shard."""
    specimens = campaign.specimens
    floats = specimens.strain_values + specimens.force_values
    floats += len(specimens.outputs) * specimens.output_values
    doubles = len(campaign.targets) + len(campaign.family.coordinates)
    doubles += specimens.force_values if specimens.timing else 0
    return 4 * floats + 8 * doubles + 230  # the reason's 200 bytes, status, numbers


def disk_gib(campaign: Campaign) -> dict[str, float]:
    """Work out what files take in the workspace, GiB; dealt rows are removed afterwards."""
    records, gib = campaign.design.records, MIB * 1024.0
    packed = records * record_bytes(campaign) / gib
    found = {"shards": records * shard_record_bytes(campaign) / gib, "dataset": packed}
    if packing_elements(campaign, records):
        found["while packing"] = 0.9 * packed
    return found


class _Estimate:
    """Works the steps out, in the order in which they run."""

    def __init__(self, campaign: Campaign, rates: Rates, cores: int | None) -> None:
        self.campaign, self.rates, self.cores = campaign, rates, cores

    def steps(self) -> Iterator[StepCosts]:
        campaign, rates, design = self.campaign, self.rates, self.campaign.design
        yield self._fixed("warm_kernels", 1)
        yield self._step("choose_points", 1, design.records * rates.point_s.value, rates.point_s)
        yield self._solving()
        dealing = packing_elements(campaign, design.records)
        pack_s = design.records * rates.pack_s.value
        if dealing:
            for job in PACKING[:2]:
                yield self._step(job, dealing, pack_s / 2 / dealing, rates.pack_s)
        yield self._step("publish_dataset", 1, 0.0 if dealing else pack_s, rates.pack_s)
        yield self._training()
        if campaign.training.committees:
            yield self._fixed("assemble", len(campaign.training.committees))
        yield self._fixed("identify", 1)
        measurements = len(campaign.validation.measurements)
        if campaign.validation.outside:
            yield self._fixed("identify_outside", measurements)
        yield self._fixed("resimulate", measurements)
        yield self._fixed("score", 1)
        yield self._fixed("compare", 1)

    def _solving(self) -> StepCosts:
        campaign, design = self.campaign, self.campaign.design
        record_s = increments(campaign) * self._increment_s
        shard = min(design.records_per_shard, design.records)
        seconds = shard * record_s
        total = design.records * record_s
        return self._step(
            "solve_shard", design.shards(), seconds, self.rates.increment_s, total_s=total
        )

    def _training(self) -> StepCosts:
        campaign, rates = self.campaign, self.rates
        asked = campaign.execution.resources_for("train")
        on_gpu, devices = asked.gpus > 0, asked.nodes * asked.tasks_per_node
        seconds, measured = [], True
        for network in campaign.training.trainings:
            rate = rates.epoch_s[network.kind]
            factor = 1.0
            if on_gpu != rates.epoch_on_gpu:
                factor = 1 / GPU_FACTOR if on_gpu else GPU_FACTOR
            measured = measured and rate.measured and factor == 1.0
            epochs = network.epochs or campaign.training.epochs
            seconds.append(epochs * fitted_records(campaign) * rate.value * factor / devices)
        rate = Rate(value=max(seconds), measured=measured)
        return self._step("train", len(seconds), max(seconds), rate, total_s=sum(seconds))

    def _fixed(self, job: Job, elements: int) -> StepCosts:
        rate, simulated = self.rates.element_s[job], validation_increments(self.campaign, job)
        if not simulated:
            return self._step(job, elements, rate.value, rate)
        measured = rate.measured and self.rates.increment_s.measured
        seconds = rate.value + simulated * self._increment_s
        return self._step(job, elements, seconds, Rate(value=seconds, measured=measured))

    @property
    def _increment_s(self) -> float:
        if self.campaign.provenance == "rehearsal":
            return REHEARSED_S / increments(self.campaign)
        return self.rates.increment_s.value

    def _step(
        self,
        job: Job,
        elements: int,
        seconds: float,
        rate: Rate,
        *,
        total_s: float | None = None,
    ) -> StepCosts:
        """Put a step together; seconds are those of the longest element, without its start."""
        now = self.campaign.execution.resources_for(job)
        cores = now.nodes * now.tasks_per_node * now.cpus
        element_s = seconds + self.rates.start_s.value
        total = (elements * seconds if total_s is None else total_s) + (
            elements * self.rates.start_s.value
        )
        at_once = min(elements, now.running_at_most or elements)
        if self.cores is not None:
            at_once = max(1, min(at_once, self.cores // cores))
        memory, known = self._memory(job)
        walltime = max(LEAST_WALLTIME_S, _up(ROOM[rate.measured] * element_s, STEP_S))
        asked = now.model_copy(
            update={
                "walltime_s": min(walltime, LONGEST_WALLTIME_S),
                "memory_mib": max(1000, _up(MEMORY_ROOM[known] * memory, 500)),
                "signal_before_end_s": None,
            }
        )
        return StepCosts(
            job=job,
            elements=elements,
            element_s=element_s,
            at_once=at_once,
            core_hours=total * cores / HOUR_S,
            gpu_hours=total * now.nodes * now.gpus / HOUR_S,
            memory_mib=memory,
            measured=rate.measured,
            memory_measured=known,
            asked=asked,
            asked_now=now,
        )

    def _memory(self, job: Job) -> tuple[float, bool]:
        """Return MiB of an element, and whether it was measured; what grows is worked out."""
        campaign, design = self.campaign, self.campaign.design
        grows = {"choose_points", "solve_shard", "train", "identify"}
        known = self.rates.memory_mib.get(job)
        if known and (job not in grows or self.rates.records >= design.records):
            return known.value, True
        if job == "choose_points":
            row = 8 * (len(campaign.targets) + len(campaign.family.coordinates) + 10)
            return INTERPRETER_MIB + 6 * row * design.records / MIB, False
        if job == "solve_shard":
            rows = min(design.records_per_shard, design.records)
            return INTERPRETER_MIB + SHARD_COPIES * rows * shard_record_bytes(campaign) / MIB, False
        if job in PACKING:
            held = design.records * record_bytes(campaign) / MIB
            return min(campaign.packing.memory_mib, INTERPRETER_MIB + 2.5 * held), False
        if job in ("train", "assemble", "identify"):
            inputs = 4 * (128 + campaign.specimens.force_values + len(campaign.targets))
            return TORCH_MIB + 1.2 * inputs * design.records / MIB, False
        return 2 * INTERPRETER_MIB, False


def duration(seconds: float) -> str:
    """Write seconds as people do: 45 s, 12 min, 3.5 h, 4 d."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / HOUR_S
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step
