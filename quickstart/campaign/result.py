"""Prints what a campaign found: records, errors against baselines, alloys, the gate's decision."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Report = Mapping[str, Any]


def print_result(report: Report, console: Console) -> None:
    """Print the report that the DAG's last task returned."""
    console.print(f"\n[bold]Campaign run {report['run_id']}")
    _print_records(report["records_by_status"], console)
    _print_errors(report["networks"], console)
    _print_alloys(report["alloys"], console)
    if report.get("speedup"):
        _print_speedup(report["speedup"], console)
    _print_gate(report["gate"], console)


def _print_records(by_status: Mapping[str, int], console: Console) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in by_status.items() if count)
    console.print(f"records by status: {counts} (of {sum(by_status.values())})")


def _print_errors(networks: Mapping[str, Report], console: Console) -> None:
    """Print what every network and every baseline gets wrong, and who is better."""
    columns = {name: (net["test_sum_mse"], net["per_target"]) for name, net in networks.items()}
    for name, network in networks.items():
        for baseline, errors in network["baselines"].items():
            found = (errors["sum"], errors["per_target"])
            if columns.setdefault(baseline, found) != found:  # with forces, as that network
                columns[f"{baseline} ({name})"] = found
    table = _table("test error: mean squared error in units of the target range, × 10⁻³")
    table.add_column("target")
    for column in columns:
        table.add_column(column, justify="right")
    for target in next(iter(networks.values()))["per_target"]:
        table.add_row(target, *(_milli(errors[target]) for _, errors in columns.values()))
    table.add_section()
    table.add_row("sum", *(_milli(total) for total, _ in columns.values()))
    console.print(table)
    for name, network in networks.items():
        for baseline, errors in network["baselines"].items():
            others = errors["per_target"]
            wins = sum(error < others[target] for target, error in network["per_target"].items())
            outcome = comparison(name, network["test_sum_mse"], baseline, errors["sum"])
            console.print(f"  {outcome}; better on {wins} of {len(others)} targets", markup=False)


def comparison(name: str, error: float, baseline: str, other: float) -> str:
    """Say who wins; a network that loses is said to lose."""
    if error < other:
        return f"{name} beats {baseline}: its error is {other / error:.1f} times lower"
    if error == other:
        return f"{name} equals {baseline}"
    return f"{name} LOSES to {baseline}: its error is {error / other:.1f} times higher"


def _print_alloys(alloys: Mapping[str, Report], console: Console) -> None:
    names = list(dict.fromkeys(q for alloy in alloys.values() for q in alloy["quantities"]))
    table = _table("identified quantities of each alloy, with 90 % intervals (true)")
    table.add_column("quantity")
    for name, alloy in alloys.items():
        table.add_column(f"{name}\n{_verdict(alloy)}", justify="right")
    for quantity in names:
        table.add_row(quantity, *(_with_interval(alloy, quantity) for alloy in alloys.values()))
    console.print(table)
    _print_refined(alloys, names, console)
    for name, alloy in alloys.items():
        if alloy.get("note"):
            console.print(f"  {name}: {alloy['note']}", markup=False)


def _print_refined(alloys: Mapping[str, Report], names: list[str], console: Console) -> None:
    """Print what the forward surrogate made of strains and forces, with its intervals."""
    refined = {name: alloy["refined"] for name, alloy in alloys.items() if alloy.get("refined")}
    if not refined:
        return
    table = _table("refined by the forward surrogate, with 90 % intervals (true)")
    table.add_column("quantity")
    for name, alloy in refined.items():
        table.add_column(f"{name}\n{_verdict(alloy)}", justify="right")
    for quantity in names:
        table.add_row(quantity, *(_with_interval(alloy, quantity) for alloy in refined.values()))
    console.print(table)


def _verdict(alloy: Report) -> str:
    style = {"pass": "green", "answered": "green", "fail": "red"}.get(alloy["verdict"], "yellow")
    return f"[{style}]{alloy['verdict'].upper()}[/]"


def _with_interval(alloy: Report, quantity: str) -> str:
    pair, interval = alloy["quantities"].get(quantity), alloy.get("intervals", {}).get(quantity)
    if not (pair and interval):
        return _pair(pair)
    true = "-" if pair[1] is None else f"{pair[1]:.3f}"
    return f"{pair[0]:.3f} ± {(interval[1] - interval[0]) / 2:.3f} ({true})"


def _print_speedup(found: Report, console: Console) -> None:
    """Print what learning was worth against computing, from measured times."""
    head, *heads = found["table"]["heads"]
    table = _table("effective speedup S, from measured times, by number of lookups")
    table.add_column(head)
    for head in heads:
        table.add_column(head, justify="right")
    for row in found["table"]["rows"]:
        table.add_row(*row)
    console.print(table)


def _print_gate(gate: Report, console: Console) -> None:
    style = "green" if gate["promoted"] else "yellow"
    console.print(f"gate: {gate['model']}: [{style}]{escape(gate['reason'])}")


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", min_width=len(title))


def _pair(values: Any) -> str:
    if not values:
        return "-"
    identified, true = (f"{value:.3f}" if value is not None else "-" for value in values)
    return f"{identified} ({true})"


def _milli(value: float) -> str:
    milli = value * 1e3
    return f"{milli:.0f}" if milli >= 100 else f"{milli:#.3g}"
