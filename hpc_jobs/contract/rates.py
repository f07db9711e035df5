"""What one unit of each kind of work costs: measured in a run, or assumed until one was.

Simulations cost by element of the mesh and load increment, so that a rate carries over to other
meshes; everything else by record. Assumed rates are those of a laptop's core with the demo.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, ValidationError

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.feasible import INCREMENT_S, held_out
from hpc_jobs.contract.frozen import Frozen, Positive
from hpc_jobs.contract.increments import increments, validation_increments
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import ElementResult, first_mistake, read_model
from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.names import DOCUMENT

LEAST_S = 1.0
"""Of an element that simulates, beside its simulations, however few these were."""
GPU_FACTOR = 20.0
"""Assumed: a GPU over one core, in training."""


class Rate(Frozen):
    """A cost, and whether it was measured."""

    value: Positive
    measured: bool = False


def _assumed(value: float) -> Rate:
    return Rate(value=value)


class Rates(Frozen):
    """Costs by unit; seconds are those of one core, or one GPU where that is said."""

    source: Annotated[str, Field(description="where they come from")] = "assumed"
    increment_s: Annotated[
        Rate, Field(description="of an element of a mesh and a load increment; one sheet's")
    ] = _assumed(INCREMENT_S)
    point_s: Annotated[Rate, Field(description="of choosing a point")] = _assumed(2e-4)
    pack_s: Annotated[Rate, Field(description="of packing a record, all jobs of it")] = _assumed(
        3e-4
    )
    start_s: Annotated[Rate, Field(description="of starting and importing, an element")] = _assumed(
        5.0
    )
    epoch_s: Annotated[
        dict[str, Rate], Field(description="kind of network -> of a record in an epoch")
    ] = {"multitask_cnn": _assumed(2.8e-4), "mlp": _assumed(7.5e-5)}
    epoch_on_gpu: Annotated[bool, Field(description="whether those are a GPU's")] = False
    element_s: Annotated[
        dict[Job, Rate],
        Field(
            description="job -> of one element, where records hardly matter, without what a "
            "validation simulates"
        ),
    ] = {
        "warm_kernels": _assumed(60.0),
        "assemble": _assumed(30.0),
        "identify": _assumed(60.0),
        "identify_outside": _assumed(60.0),
        "resimulate": _assumed(10.0),
        "score": _assumed(60.0),
        "compare": _assumed(60.0),
    }
    memory_mib: Annotated[
        dict[Job, Rate], Field(description="job -> largest resident memory of an element")
    ] = {}
    records: Annotated[int, Field(ge=0, description="that the memory was measured with")] = 0


def fitted_records(campaign: Campaign) -> int:
    """Count the records that a network is fitted to in an epoch."""
    return campaign.design.train_records - held_out(campaign)


@dataclass
class _Seen:
    """What the elements of a run said, added up."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    records: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    longest: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    epochs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    starts: list[float] = field(default_factory=list)


def rates_of(run: RunFolder[Path]) -> Rates:
    """Measure by what a run's elements said, those that have ended; the rest stays assumed.

    The first shards of a campaign are enough. Raises BadInput where nothing has ended, CorruptFile
    for what is no run's folder.
    """
    frozen = read_model(FrozenCampaign, run.campaign)
    seen = _Seen()
    for path in sorted(run.jobs.glob("*")):
        _look(JobFolder(path), frozen.campaign, seen)
    if not seen.longest:
        raise BadInput(f"{run.root}: no element of the run has ended; ask again when one has")
    return _rates(frozen, seen)


def _look(folder: JobFolder[Path], campaign: Campaign, seen: _Seen) -> None:
    try:
        job = str(json.loads(folder.intent.read_bytes())["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # a folder that is being made, or none of ours
    for path in folder.results.glob(f"[0-9]*{DOCUMENT}"):
        try:
            result = ElementResult.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if result.outcome == "done" and result.wall_s > 0:
            _add(job, result, campaign, seen)


def _add(job: str, result: ElementResult, campaign: Campaign, seen: _Seen) -> None:
    seen.longest[job] = max(seen.longest[job], result.wall_s)
    seen.memory[job] = max(seen.memory[job], result.peak_mib)
    seen.seconds[job] += result.wall_s
    records = result.facts.get("records", 0)
    seen.records[job] += records if isinstance(records, int) else 0
    if result.phases:
        seen.starts.append(result.phases.start_s + result.phases.import_s)
    trainings = campaign.training.trainings
    if job == "train" and result.element < len(trainings):
        network = trainings[result.element]
        asked = (network.epochs or campaign.training.epochs) * fitted_records(campaign)
        seen.epochs[network.kind].append(result.wall_s / asked)


def _rates(frozen: FrozenCampaign, seen: _Seen) -> Rates:
    campaign, assumed = frozen.campaign, Rates()
    found: dict[str, object] = {"source": f"run {frozen.run_id}"}
    if campaign.provenance == "simulation" and seen.records["solve_shard"]:
        record_s = seen.seconds["solve_shard"] / seen.records["solve_shard"]
        found["increment_s"] = _measured(record_s / increments(campaign))
    if seen.records["choose_points"]:
        record_s = seen.seconds["choose_points"] / seen.records["choose_points"]
        found["point_s"] = _measured(record_s)
    packing = [seen.seconds[job] for job in PACKING if seen.seconds[job]]
    if "publish_dataset" in seen.longest:
        found["pack_s"] = _measured(sum(packing) / campaign.design.records)
    if seen.starts:
        found["start_s"] = _measured(_mean(seen.starts))
    measured = {kind: _measured(_mean(values)) for kind, values in seen.epochs.items()}
    if measured:
        gpu = campaign.execution.resources_for("train").gpus > 0
        factor = GPU_FACTOR if gpu else 1.0
        others = {k: _assumed(rate.value / factor) for k, rate in assumed.epoch_s.items()}
        found |= {"epoch_s": others | measured, "epoch_on_gpu": gpu}
    increment_s = found.get("increment_s", assumed.increment_s)
    assert isinstance(increment_s, Rate)
    beside = {
        job: _measured(_beside(campaign, job, seen.longest[job], increment_s))
        for job in assumed.element_s
        if seen.longest[job]
    }
    found["element_s"] = assumed.element_s | beside
    jobs = get_args(Job)
    found["memory_mib"] = {
        job: _measured(most) for job, most in seen.memory.items() if most and job in jobs
    }
    found["records"] = campaign.design.records
    return Rates.model_validate(found)


def _beside(campaign: Campaign, job: Job, longest_s: float, increment_s: Rate) -> float:
    """Return what an element takes beside its simulations; a rehearsal's cost nothing."""
    if campaign.provenance == "rehearsal":
        return longest_s
    return max(LEAST_S, longest_s - validation_increments(campaign, job) * increment_s.value)


PACKING: tuple[Job, ...] = ("deal_records", "pack_records", "publish_dataset")


def _measured(value: float) -> Rate:
    return Rate(value=value, measured=True)


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)


def kept_rates(cluster_file: Path) -> Rates | None:
    """Read the rates that lie beside a cluster's file, as NAME.rates.json; None if none do.

    Raises BadInput for a file that holds no rates.
    """
    path = cluster_file.with_suffix(".rates.json")
    return read_rates_file(path) if path.exists() else None


def read_rates_file(path: Path) -> Rates:
    """Read rates as `yieldloop plan --save` writes them; raises BadInput."""
    try:
        return Rates.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); name a run's folder in the workspace, or "
            "a file that yieldloop plan --save wrote"
        ) from None
    except ValidationError as error:
        raise BadInput(
            f"{path}: no rates ({first_mistake(error)}); name a run's folder, or a file that "
            "yieldloop plan --save wrote"
        ) from None


def with_simulations(rates: Rates, campaign: Campaign, record_s: float, where: str) -> Rates:
    """Return rates with a simulation measured by itself: core-seconds of a record of a campaign."""
    update: Mapping[str, object] = {
        "source": where,
        "increment_s": _measured(record_s / increments(campaign)),
    }
    return rates.model_copy(update=update)
