"""What an array job leaves in an XCom: small, whatever the number of its elements."""

from collections.abc import Iterable, Mapping
from typing import Any

from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.contract.report import ArrayReport, UsageReport

NAMED_FAILURES = 20
SHOWN_CAUSES, SHOWN_CHARACTERS = 5, 600
MISTAKE = "ConfigurationError: "
"""How an element begins that was asked for what cannot be: another try would say the same."""
FACTS = 200


def array_report(
    *,
    job: Job,
    token: str,
    job_ids: Iterable[str],
    cpus: int,
    gpus: int,
    elements: int,
    results: Iterable[ElementResult],
    failed: Mapping[int, str],
    usage: UsageReport | None = None,
) -> ArrayReport:
    """Collect counts, times and facts; facts of a single element as they are, of many as sums."""
    done = [result for result in results if result.outcome == "done"]
    begin = min((result.started for result in done), default=0.0)
    end = max((result.started + result.wall_s for result in done), default=0.0)
    hours = sum(result.wall_s for result in done) / 3600
    facts = done[0].facts if elements == 1 and done else total(result.facts for result in done)
    return ArrayReport(
        job=job,
        token=token,
        job_ids=tuple(job_ids),
        elements=elements,
        done=len(done),
        failed=len(failed),
        failures={str(e): cause for e, cause in sorted(failed.items())[:NAMED_FAILURES]},
        wall_s=round(end - begin, 3),
        cpu_hours=round(hours * cpus, 6),
        gpu_hours=round(hours * gpus, 6),
        usage=usage or UsageReport(),
        facts=facts,
    )


def total(many: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum what is a number, key by key, also in nested mappings; leave out what is not."""
    sums: dict[str, Any] = {}
    for facts in many:
        _add(sums, facts)
    return sums


def _add(sums: dict[str, Any], facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        if key not in sums and len(sums) >= FACTS:
            continue
        if isinstance(value, Mapping):
            below = sums.setdefault(key, {})
            if isinstance(below, dict):
                _add(below, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            before = sums.get(key, 0)
            if not isinstance(before, dict):
                sums[key] = before + value


def is_mistake(words: str) -> bool:
    """Whether an element failed by how it was configured."""
    return words.startswith(MISTAKE)


def by_cause(failed: Mapping[int, str], words: Mapping[int, str]) -> str:
    """Say why elements failed, the most frequent cause first, each cause once, a line each.

    words: of elements that said something themselves; of others the scheduler's word counts.
    """
    groups: dict[str, list[int]] = {}
    for element, cause in sorted(failed.items()):
        groups.setdefault(words.get(element) or str(cause), []).append(element)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines = [
        f"{said[:SHOWN_CHARACTERS]} (element{'s' * (len(which) > 1)} {ranges(which)})"
        for said, which in ordered[:SHOWN_CAUSES]
    ]
    return "\n".join(
        lines + [f"and {len(ordered) - SHOWN_CAUSES} other causes"] * (len(ordered) > SHOWN_CAUSES)
    )


def ranges(elements: list[int]) -> str:
    """Write ascending elements as 0-3, 7; the first few ranges of many."""
    runs: list[list[int]] = []
    for element in elements:
        if runs and element == runs[-1][1] + 1:
            runs[-1][1] = element
        else:
            runs.append([element, element])
    said = [f"{low}" if low == high else f"{low}-{high}" for low, high in runs[:NAMED_FAILURES]]
    return ", ".join(said) + (" ..." if len(runs) > NAMED_FAILURES else "")


def few(failed: Mapping[int, str]) -> str:
    """Name some failed elements, each with its cause."""
    named = [f"{element} ({cause})" for element, cause in sorted(failed.items())[:NAMED_FAILURES]]
    return ", ".join(named) + (" ..." if len(failed) > NAMED_FAILURES else "")
