"""Prints what a campaign found: records, errors against baselines, alloys, the gate's decision."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.contract.report import CampaignReport, GateReport, NetworkErrors, error_columns
from hpc_jobs.contract.speedup import SpeedupReport
from hpc_jobs.contract.times import read_times, table
from hpc_jobs.contract.validation import Judgement, Verdict


def print_result(report: CampaignReport, console: Console) -> None:
    """Print the report that the DAG's last task returned."""
    console.print(f"\n[bold]Campaign run {report.run_id}")
    _print_records(report.records_by_status, console)
    _print_errors(report.networks, console)
    _print_alloys(report.verdict, console)
    if report.speedup:
        _print_speedup(report.speedup, console)
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


def _print_records(by_status: Mapping[str, int], console: Console) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in by_status.items() if count)
    console.print(f"records by status: {counts} (of {sum(by_status.values())})")


def _print_errors(networks: dict[str, NetworkErrors], console: Console) -> None:
    """Print what every network and every baseline gets wrong, and who is better."""
    columns = error_columns(networks)
    table = _table("test error: mean squared error in units of the target range, × 10⁻³")
    table.add_column("target")
    for column in columns:
        table.add_column(column, justify="right")
    for target in next(iter(networks.values())).per_target:
        table.add_row(target, *(_milli(errors.per_target[target]) for errors in columns.values()))
    table.add_section()
    table.add_row("sum", *(_milli(errors.sum) for errors in columns.values()))
    console.print(table)
    for name, network in networks.items():
        for baseline, errors in network.baselines.items():
            others = errors.per_target
            wins = sum(error < others[target] for target, error in network.per_target.items())
            outcome = comparison(name, network.sum, baseline, errors.sum)
            console.print(f"  {outcome}; better on {wins} of {len(others)} targets", markup=False)


def comparison(name: str, error: float, baseline: str, other: float) -> str:
    """Say who wins; a network that loses is said to lose."""
    if error < other:
        return f"{name} beats {baseline}: its error is {other / error:.1f} times lower"
    if error == other:
        return f"{name} equals {baseline}"
    return f"{name} LOSES to {baseline}: its error is {error / other:.1f} times higher"


def _print_alloys(verdict: Verdict, console: Console) -> None:
    """Print what the network made of each measurement, and what the forward surrogate did."""
    judged = verdict.measurements
    quantities = list(dict.fromkeys(q for each in judged.values() for q in each.quantities))
    title = "identified quantities of each alloy, with 90 % intervals (true)"
    _print_quantities(title, judged, quantities, console)
    if verdict.refined:
        title = "refined by the forward surrogate, with 90 % intervals (true)"
        _print_quantities(title, verdict.refined, quantities, console)
    for name, note in verdict.notes.items():
        console.print(f"  {name}: {note}", markup=False)


def _print_quantities(
    title: str, judged: Mapping[str, Judgement], quantities: list[Quantity], console: Console
) -> None:
    table = _table(title)
    table.add_column("quantity")
    for name, judgement in judged.items():
        styles = {"pass": "green", "answered": "green", "fail": "red"}
        style = styles.get(judgement.verdict, "yellow")
        heading = f"{name}\n[{style}]{judgement.verdict.upper()}[/]"
        table.add_column(heading, justify="right")
    for quantity in quantities:
        table.add_row(quantity, *(_with_interval(each, quantity) for each in judged.values()))
    console.print(table)


def _with_interval(judgement: Judgement, quantity: Quantity) -> str:
    found, true = judgement.quantities.get(quantity, (None, None))
    if found is None and true is None:
        return "-"
    interval = judgement.intervals.get(quantity)
    width = f" ± {(interval[1] - interval[0]) / 2:.3f}" if found is not None and interval else ""
    return f"{_number(found)}{width} ({_number(true)})"


def _print_speedup(report: SpeedupReport, console: Console) -> None:
    """Print what learning was worth against computing, from measured times."""
    head, *heads = report.heads
    table = _table("effective speedup S, from measured times, by number of lookups")
    table.add_column(head)
    for head in heads:
        table.add_column(head, justify="right")
    for row in report.rows:
        table.add_row(*row)
    console.print(table)


def _print_gate(gate: GateReport, console: Console) -> None:
    style = "green" if gate.promoted else "yellow"
    console.print(f"gate: {gate.model}: [{style}]{escape(gate.reason)}")


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", min_width=len(title))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _milli(value: float) -> str:
    milli = value * 1e3
    return f"{milli:.0f}" if milli >= 100 else f"{milli:#.3g}"
