"""Shows a run while it goes on: a live table in a terminal, a line per change elsewhere."""

import time

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from hpc_jobs.contract.report import ArrayProgress
from quickstart.campaign.run import ENDED, CampaignRun, RunState, Task

LOOK_S = 1.0
LINE_S = 10.0
WORTH_A_LINE = ("running", "success", "failed", "skipped", "up_for_retry", "upstream_failed")
STYLES = {
    "success": "green",
    "running": "bold cyan",
    "deferred": "cyan",
    "failed": "bold red",
    "up_for_retry": "yellow",
    "upstream_failed": "red",
}


def follow(run: CampaignRun, console: Console) -> RunState:
    """Show the run until it has ended; return how."""
    return _live(run, console) if console.is_terminal else _lines(run, console)


def _live(run: CampaignRun, console: Console) -> RunState:
    began = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            run_state = run.look()
            live.update(_table(run_state, time.monotonic() - began), refresh=True)
            if run_state.state in ENDED:
                return run_state
            time.sleep(LOOK_S)


def _table(run_state: RunState, seconds: float) -> Table:
    title = f"campaign {run_state.state}, {seconds:.0f} s"
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for column in ("task", "state", "s", "progress"):
        table.add_column(column, justify="right" if column == "s" else "left")
    for task in run_state.tasks:
        progress = run_state.progress.get(task.name)
        table.add_row(
            task.name,
            f"[{STYLES.get(task.state, 'dim')}]{task.state}",
            f"{task.seconds:.0f}" if task.seconds else "",
            told(progress) if progress else "",
        )
    return table


def _lines(run: CampaignRun, console: Console) -> RunState:
    began = time.monotonic()
    shown: set[tuple[str, str, int]] = set()
    lines: dict[str, tuple[str, float]] = {}
    while True:
        run_state = run.look()
        now = time.monotonic() - began
        for task in run_state.tasks:
            event = (task.name, task.state, task.try_number)
            if task.state in WORTH_A_LINE and event not in shown:
                shown.add(event)
                console.print(f"[{now:6.1f} s] {_sentence(task)}", markup=False, highlight=False)
        for name, progress in run_state.progress.items():
            text, when = lines.get(name, ("", -LINE_S))
            complete = progress.done == progress.elements
            if told(progress) != text and (now - when >= LINE_S or complete):
                lines[name] = (told(progress), now)
                said = f"[{now:6.1f} s] {name}: {told(progress)}"
                console.print(said, markup=False, highlight=False)
        if run_state.state in ENDED:
            return run_state
        time.sleep(LOOK_S)


def told(progress: ArrayProgress) -> str:
    """Say how far an array is, of what was planned for all its elements."""
    if not progress.work_planned:
        words = f"{progress.done} of {progress.elements} elements"
    else:
        words = f"{progress.work_done:,} of {progress.work_planned:,} {progress.unit}"
    if progress.failed:
        words += f", {progress.failed} failed"
    if progress.trouble:
        return f"{words}; {progress.trouble}"
    if progress.left_s and progress.done < progress.elements:
        words += f", {_duration(progress.left_s)} left"
    return words


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _sentence(task: Task) -> str:
    took = f" after {task.seconds:.1f} s" if task.state in ENDED and task.seconds else ""
    again = f" (try {task.try_number})" if task.try_number > 1 else ""
    return f"{task.name}: {task.state}{took}{again}"
