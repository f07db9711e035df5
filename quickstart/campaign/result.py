"""Prints what a campaign found: records, errors against baselines, alloys, the gate's decision."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from hpc_jobs.contract.answers import Reported, in_order, order_of, reported
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.ordering import best_first, by_status, error_columns
from hpc_jobs.contract.report import (
    CampaignReport,
    GateReport,
    NetworkErrors,
    UsageReport,
)
from hpc_jobs.contract.speedup import SpeedupReport
from hpc_jobs.contract.times import read_times, table
from hpc_jobs.contract.validation import Judgement, Verdict
from quickstart.campaign.tables import print_table

STYLES = {"pass": "green", "answered": "green", "fail": "red"}
TOLD_AS_FACTOR = 1.95  # below, a factor of one digit after the point hides what is told


def print_result(report: CampaignReport, console: Console) -> None:
    """Print the report that the DAG's last task returned, in the console's width."""
    console.print(f"\n[bold]Campaign run {report.run_id}")
    _print_records(report.records_by_status, console)
    _print_errors(report.networks, console)
    _print_alloys(report.verdict, console)
    if report.speedup:
        _print_speedup(report.speedup, console)
    if report.usage:
        _print_usage(report.usage, console)
    _print_gate(report.gate, console)


def print_times(folder: RunFolder[Path] | None, console: Console) -> None:
    """Print where the time went, where the run's folder can be seen from here."""
    if folder is None:
        return
    try:
        told = table(read_times(folder))
    except ContractError as error:
        told = f"where the time went cannot be said: {error}"
    console.print(f"\n{told}", markup=False, highlight=False)


def _print_records(records: Mapping[str, int], console: Console) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in by_status(records).items())
    console.print(f"records by status: {counts} (of {sum(records.values())})", highlight=False)


def _print_errors(networks: dict[str, NetworkErrors], console: Console) -> None:
    """Print what every network and every baseline gets wrong, and who is better."""
    columns = error_columns(networks)
    targets = sorted(next(iter(columns.values())).per_target, key=order_of)
    rows = [
        [name, _milli(errors.sum), *(_milli(errors.per_target[target]) for target in targets)]
        for name, errors in columns.items()
    ]
    title = "test error: mean squared error in units of the target range, × 10⁻³"
    print_table(console, title, ["answered by", "sum", *targets], rows)
    for name, network in best_first(networks).items():
        for baseline, errors in sorted(network.baselines.items()):
            others = errors.per_target
            wins = sum(error < others[target] for target, error in network.per_target.items())
            outcome = comparison(name, network.sum, baseline, errors.sum)
            said = f"  {outcome}; better on {wins} of {len(others)} targets"
            console.print(said, markup=False, highlight=False)


def comparison(name: str, error: float, baseline: str, other: float) -> str:
    """Say who wins; a network that loses is said to lose."""
    if error == other:
        return f"{name} equals {baseline}"
    if error < other:
        return f"{name} beats {baseline}: its error is {_less(error, other)}"
    return f"{name} LOSES to {baseline}: its error is {_more(error, other)}"


def _less(error: float, other: float) -> str:
    """Say how much lower an error is: as a share where a factor would be 1.0."""
    factor = other / error if error else float("inf")
    if factor > TOLD_AS_FACTOR:
        return f"{factor:.1f} times lower"
    return _share(1 - 1 / factor, "lower")


def _more(error: float, other: float) -> str:
    factor = error / other if other else float("inf")
    if factor > TOLD_AS_FACTOR:
        return f"{factor:.1f} times higher"
    return _share(factor - 1, "higher")


def _share(part: float, word: str) -> str:
    return f"{part:.0%} {word}" if part >= 0.005 else f"less than 1% {word}"


def _print_alloys(verdict: Verdict, console: Console) -> None:
    """Print what the network made of each measurement, and what the refinement did."""
    title = "identified quantities of each alloy, with 90 % intervals (true)"
    _print_lines(title, verdict.measurements, console)
    if verdict.refined:
        _print_lines("refined, with 90 % intervals (true)", verdict.refined, console)
    for name, note in sorted(verdict.notes.items()):
        console.print(f"  {name}: {note}", markup=False)


def _print_lines(title: str, judged: Mapping[str, Judgement], console: Console) -> None:
    heads = [
        Text(f"{name}\n").append(each.verdict.upper(), style=STYLES.get(each.verdict, "yellow"))
        for name, each in judged.items()
    ]
    told = {name: {line.name: line for line in reported(each)} for name, each in judged.items()}
    every = sorted(
        {line.name: line for lines in told.values() for line in lines.values()}.values(),
        key=in_order,
    )
    rows = [
        [each.name, *(_with_interval(lines.get(each.name)) for lines in told.values())]
        for each in every
    ]
    print_table(console, title, ["quantity, k in MPa", *heads], rows)


def _with_interval(line: Reported | None) -> str:
    if line is None or (line.value is None and line.true is None):
        return "-"
    number = f",.{0 if line.is_stress else 3}f"
    width = ""
    if line.value is not None and line.low is not None and line.high is not None:
        width = f" ± {(line.high - line.low) / 2:{number}}"
    value, true = ("-" if one is None else f"{one:{number}}" for one in (line.value, line.true))
    return f"{value}{width} ({true})"


def _print_speedup(report: SpeedupReport, console: Console) -> None:
    """Print what learning was worth against computing, from measured times."""
    heads = [head.replace(" for ", "\nfor ") for head in report.heads]
    print_table(console, "cost of computing over cost of learning, measured", heads, report.rows)


def _print_usage(usage: UsageReport, console: Console) -> None:
    gpus = f", {usage.gpu_hours:.3g} GPU-hours" if usage.gpu_hours else ""
    console.print(
        f"\nused: {usage.core_hours:.3g} core-hours granted{gpus}, {usage.efficiency:.0%} of them "
        f"busy; {usage.tries} array elements, retries included, waited "
        f"{usage.mean_queue_wait_s:.0f} s each on average",
        highlight=False,
    )


def _print_gate(gate: GateReport, console: Console) -> None:
    style = "green" if gate.promoted else "yellow"
    console.print(f"gate: {gate.model}: [{style}]{escape(gate.reason)}")


def _milli(value: float) -> str:
    milli = value * 1e3
    return f"{milli:.0f}" if milli >= 100 else f"{milli:#.3g}"
