"""What array jobs took: waiting, running, cores and GPUs granted, processor time used.

From the scheduler's accounting where there is one, every try included; else from what the elements
say of themselves, which leaves out tries that ended without a word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """One try of one element, as the accounting knows it."""

    queue_wait_s: float
    run_s: float
    cores: int
    gpus: int
    cpu_s: float
    """processor time used, on all cores"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Sums over tries, so that they add up over jobs and campaigns."""

    tries: int = 0
    queue_wait_s: float = 0.0
    run_s: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    cpu_hours_used: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)}
        return Usage(**sums)

    @property
    def efficiency(self) -> float:
        """Processor time used over processor time granted; 0 where nothing was granted."""
        return self.cpu_hours_used / self.core_hours if self.core_hours else 0.0

    @property
    def mean_queue_wait_s(self) -> float:
        """Of one try."""
        return self.queue_wait_s / self.tries if self.tries else 0.0

    def document(self) -> dict[str, Any]:
        """For JSON: the sums, and what follows from them."""
        sums = {name: round(value, 9) for name, value in asdict(self).items()}
        return sums | {
            "efficiency": round(self.efficiency, 4),
            "mean_queue_wait_s": round(self.mean_queue_wait_s, 3),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Usage":
        """From such a document."""
        return cls(**{field.name: document[field.name] for field in fields(cls)})


def total(consumed: Iterable[Consumed]) -> Usage:
    """Add tries up."""
    usage = Usage()
    for each in consumed:
        usage += Usage(
            tries=1,
            queue_wait_s=each.queue_wait_s,
            run_s=each.run_s,
            core_hours=each.run_s * each.cores / HOUR_S,
            gpu_hours=each.run_s * each.gpus / HOUR_S,
            cpu_hours_used=each.cpu_s / HOUR_S,
        )
    return usage


def from_results(
    results: Iterable[Mapping[str, Any]], granted: Mapping[int, tuple[float, int, int]]
) -> list[Consumed]:
    """Read elements' results; granted: element -> when submitted (Unix time), cores, GPUs.

    The two clocks are different hosts': a negative wait counts as none.
    """
    found = []
    for result in results:
        submitted, cores, gpus = granted[int(result["element"])]
        found.append(
            Consumed(
                queue_wait_s=max(0.0, float(result["started"]) - submitted),
                run_s=float(result["wall_s"]),
                cores=cores,
                gpus=gpus,
                cpu_s=float(result["cpu_s"]),
            )
        )
    return found


def seconds(clock: str) -> float:
    """Read "1-02:03:04", "02:03:04" or "03:04.500"."""
    days, _, rest = clock.rpartition("-")
    value = 0.0
    for part in rest.split(":"):
        value = value * 60 + float(part)
    return value + 86400 * int(days or 0)
