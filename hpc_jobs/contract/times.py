"""Where a run's time went, task by task, read from its job folders.

Each task's job: waiting for the queue, then its elements' starting, importing, compiling and
working, then waiting until the control host saw the end. In between the control host works alone.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.names import DOCUMENT, SUBMISSION

Seconds = Annotated[float, Field(ge=0, description="s")]
NAME_WIDTH = 24


class TaskTimes(Frozen):
    """One array job; what its elements did is summed over them."""

    task: str
    elements: int
    at: Annotated[Seconds, Field(description="of the first submission, since the run began")]
    queue: Annotated[Seconds, Field(description="until the first element began")]
    ran: Annotated[Seconds, Field(description="from the first element's begin to the last's end")]
    seen: Annotated[Seconds, Field(description="from there until the control host was done")]
    start: Seconds
    importing: Seconds
    compiling: Seconds
    working: Seconds

    @property
    def over(self) -> float:
        """When the control host was done with it, since the run began."""
        return self.at + self.queue + self.ran + self.seen


class RunTimes(Frozen):
    """A run's array jobs by their begin, and what passed without any."""

    tasks: tuple[TaskTimes, ...]
    whole: Annotated[Seconds, Field(description="from the run's opening to its last job's end")]
    between: Annotated[Seconds, Field(description="of it, while no job was submitted")]


def read_times(run: RunFolder[Path]) -> RunTimes:
    """Read the jobs that have ended; raises CorruptFile where there are none."""
    if not run.campaign.is_file():
        raise CorruptFile(f"{run.root}: not the folder of a run; it has no {run.campaign.name}")
    began = run.campaign.stat().st_mtime
    folders = (JobFolder(path) for path in sorted(run.jobs.glob("*")) if path.is_dir())
    found = [times for folder in folders if (times := _task(folder, began))]
    if not found:
        raise CorruptFile(f"{run.root}: no job has ended yet; look again later")
    tasks = sorted(found, key=lambda times: times.at)
    whole = max(task.over for task in tasks)
    return RunTimes(tasks=tuple(tasks), whole=whole, between=whole - _covered(tasks))


def table(times: RunTimes) -> str:
    """Lay the times out, within 80 columns."""
    heads = ("at", "queue", "start", "import", "compile", "work", "poll")
    lines = [
        "seconds".ljust(NAME_WIDTH) + "".join(f"{head:>8}" for head in heads),
        *(_line(task.task, task.elements, _cells(task)) for task in times.tasks),
    ]
    sums = [sum(_cells(task)[i] for task in times.tasks) for i in range(1, len(heads))]
    lines.append("sum".ljust(NAME_WIDTH + 8) + "".join(f"{one:8.1f}" for one in sums))
    return "\n".join(
        [
            *lines,
            f"{times.whole:.0f} s from opening the run to its last job's end; for "
            f"{times.between:.0f} s of them no job was",
            "submitted (the control host alone). start to work: summed over elements, which",
            "run side by side; poll: until the control host saw the end.",
        ]
    )


def _line(task: str, elements: int, cells: Sequence[float]) -> str:
    count = f" x{elements}" if elements > 1 else ""
    name = task.rpartition(".")[2][: NAME_WIDTH - len(count)] + count
    return name.ljust(NAME_WIDTH) + "".join(f"{cell:8.1f}" for cell in cells)


def _cells(task: TaskTimes) -> tuple[float, ...]:
    own = (task.start, task.importing, task.compiling, task.working)
    return (task.at, task.queue, *own, task.seen)


def _covered(tasks: Iterable[TaskTimes]) -> float:
    """Seconds during which at least one job was on its way; tasks by their begin."""
    covered, until = 0.0, 0.0
    for task in tasks:
        covered += max(0.0, task.over - max(task.at, until))
        until = max(until, task.over)
    return covered


def _task(folder: JobFolder[Path], began: float) -> TaskTimes | None:
    """Read one job; None where it has not ended, or no element of it has."""
    try:
        intent, finished = _read(folder.intent), _read(folder.finished)
        records = [_read(path) for path in folder.root.glob(f"{SUBMISSION}[0-9]*.json")]
        results = [
            ElementResult.model_validate_json(path.read_bytes())
            for path in folder.results.glob(f"[0-9]*{DOCUMENT}")
        ]
        submitted = min(float(record["submitted"]) for record in records) if records else None
        over, name = float(finished["finished"]), str(intent["task_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise CorruptFile(f"{folder.root}: not a job's folder of this version: {error}") from None
    if submitted is None or not results:
        return None
    begins, ends = _begins(results), [one.started + one.wall_s for one in results]
    phases = [one.phases for one in results if one.phases]
    untold = sum(one.wall_s for one in results if not one.phases)
    return TaskTimes(
        task=name,
        elements=len(results),
        at=max(0.0, submitted - began),
        queue=max(0.0, min(begins) - submitted),
        ran=max(0.0, max(ends) - min(begins)),
        seen=max(0.0, over - max(ends)),
        start=sum(one.start_s for one in phases),
        importing=sum(one.import_s for one in phases),
        compiling=sum(one.compile_s for one in phases),
        working=sum(one.work_s for one in phases) + untold,
    )


def _begins(results: Iterable[ElementResult]) -> list[float]:
    return [one.phases.begun if one.phases else one.started for one in results]


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no document")
    return found
