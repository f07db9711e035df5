"""Array jobs as values: what is asked for, what was submitted, what state an element is in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Literal


class ElementState(StrEnum):
    """What a scheduler says of an array element.

    LOST is the ledger's own conclusion, HANDED_OVER the element's own word: its walltime is nearly
    over, it has kept what it has, and asks to be continued.
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    UNKNOWN = "UNKNOWN"
    LOST = "LOST"
    HANDED_OVER = "HANDED_OVER"

    @property
    def is_live(self) -> bool:
        """Whether the element waits or works."""
        return self in (ElementState.PENDING, ElementState.RUNNING)

    @property
    def ended_badly(self) -> bool:
        """Whether no result can be expected any more."""
        return self not in (
            ElementState.PENDING,
            ElementState.RUNNING,
            ElementState.COMPLETED,
            ElementState.UNKNOWN,
        )


Queue = Mapping[str, Mapping[int, ElementState]]
"""Job id -> array index -> state; a job that the scheduler does not know is absent."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a scheduler answered when it was asked for jobs."""

    queue: Queue
    reasons: Mapping[str, str] = field(default_factory=dict)
    """job id -> why it waits, where a person should know"""
    silent: frozenset[str] = frozenset()
    """jobs that were asked for and not answered: nothing may be concluded of them"""
    hearsay: Queue = field(default_factory=dict)
    """what the accounting says of jobs that the queue does not know: an end counts, life does not
    for long"""


Memory = Literal["per_node", "per_cpu", "per_gpu", "none"]
"""How a site wants memory_mib, which is a node's, to be asked for: as it is, by the share of a cpu
or of a GPU, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one array element may use, and where it may wait for it.

    memory_mib and gpus are those of each node, cpus those of each task. None, False and () leave
    the choice to the scheduler.
    """

    walltime_s: int = 600
    memory_mib: int = 2000
    memory: Memory = "per_node"
    cpus: int = 1
    gpus: int = 0
    nodes: int = 1
    tasks_per_node: int = 1
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    exclusive: bool = False
    mail: str | None = None
    signal_before_end_s: int | None = None
    running_at_most: int | None = None
    after: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("after", "options"):  # JSON knows lists only
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def tasks(self) -> int:
        """Processes of one element, on all its nodes."""
        return self.nodes * self.tasks_per_node

    @property
    def cores(self) -> int:
        """CPU cores of one element, on all its nodes."""
        return self.tasks * self.cpus

    def grown(self, causes: Iterable[ElementState]) -> "Resources":
        """More memory after OUT_OF_MEMORY, more time after TIMEOUT; by half each try."""
        causes = set(causes)
        memory = 1.5 if ElementState.OUT_OF_MEMORY in causes else 1.0
        walltime = 1.5 if ElementState.TIMEOUT in causes else 1.0
        return replace(
            self,
            walltime_s=round(self.walltime_s * walltime),
            memory_mib=round(self.memory_mib * memory),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRequest:
    """One submission: a dense array 0..elements-1, whatever elements its index file names."""

    name: str
    script: PurePosixPath
    log_folder: PurePosixPath
    elements: int
    resources: Resources


@dataclass(frozen=True, slots=True)
class Submission:
    """One array in the scheduler's books; more than one job id after an ambiguous submit."""

    number: int
    job_ids: tuple[str, ...]
    elements: tuple[int, ...]
    """array index -> element"""


def compress(numbers: Iterable[int]) -> str:
    """Write 0, 1, 2, 7 as "0-2,7"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def ranges_by_cause(failed: Mapping[int, ElementState]) -> dict[str, str]:
    """Write element -> cause as cause -> ranges: short, however many fail alike."""
    by_cause: dict[ElementState, list[int]] = {}
    for element, cause in failed.items():
        by_cause.setdefault(cause, []).append(element)
    return {cause.value: compress(elements) for cause, elements in by_cause.items()}


MOST_INDICES = 10_000_000


def expand(text: str) -> list[int]:
    """Read "0-2,7" as 0, 1, 2, 7, and "0-6:2" as 0, 2, 4, 6."""
    numbers: list[int] = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip())
        if not match:
            raise ValueError(f"'{text}' is not a list of ranges such as 0-2,7")
        low = int(match[1])
        if int(match[2] or low) - low > MOST_INDICES or int(match[3] or 1) == 0:
            raise ValueError(f"'{part}' is no range of array indices")
        numbers.extend(range(low, int(match[2] or low) + 1, int(match[3] or 1)))
    return numbers
