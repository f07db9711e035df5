"""What a test looks at while a campaign runs: the campaign's output, and the array's folders."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpc_jobs.job_folder.folder import JobFolder
from operators.array.task_memory import job_token
from quickstart.campaign.run import DAG
from quickstart.processes import Process, session_of
from quickstart.stack.supervisor import Stack
from tests.harness.waiting import wait_until

LOOK_AGAIN_S = 5.0


@dataclass
class Campaign:
    """`python -m quickstart campaign single_sheet`, as a process with its output in a file."""

    stack: Stack
    settings: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        flags = [f"--set={setting}" for setting in self.settings]
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "quickstart", f"--root={self.stack.layout.root}"),
                    *("campaign", "single_sheet", *flags),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output_file(self) -> Path:
        return self.stack.layout.tmp / "campaign.out"

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    @property
    def run_id(self) -> str:
        return str(re.search(r"/runs/(\S+)", self.output)[1])  # type: ignore[index]

    def said(self, text: str, timeout_s: float) -> None:
        def heard() -> bool:
            code = self.process.poll()
            assert text in self.output or code is None, f"ended with {code}:\n{self.output}"
            return text in self.output

        wait_until(heard, timeout_s, f"campaign says '{text}'")

    def wait(self, silence_s: float) -> str:
        """Wait for the end as long as something new is said, however slow the machine is."""
        said, since = "", time.monotonic()
        while (code := self.process.poll()) is None:
            if said != self.output:
                said, since = self.output, time.monotonic()
            silent_s = time.monotonic() - since
            assert silent_s < silence_s, f"nothing new for {silent_s:.0f} s:\n{said}"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_AGAIN_S)
        assert code == 0, self.output
        return self.output


@dataclass(frozen=True)
class Array:
    """The one array job of a task, in the workspace that both nodes share."""

    folder: JobFolder[Path]

    @classmethod
    def of(cls, stack: Stack, run_id: str, task: str) -> "Array":
        """That of a campaign's run: other DAGs, which follow it, have tasks of the same name."""
        token = job_token(DAG, run_id, task)

        def found() -> list[Path]:
            return list(stack.layout.workspaces.glob(f"*/*/jobs/{token}"))

        [folder] = wait_until(found, 300, f"{task} has a job folder")
        return cls(JobFolder(folder))

    @property
    def elements(self) -> list[int]:
        return [int(line) for line in self.folder.elements(0).read_text().split()]

    @property
    def locked(self) -> list[int]:
        return sorted(int(lock.name) for lock in self.folder.locks.glob("[0-9]*"))

    @property
    def done(self) -> list[int]:
        return sorted(int(result.stem) for result in self.folder.results.glob("[0-9]*.json"))

    @property
    def goes_on(self) -> bool:
        return len(self.done) < len(self.elements)

    def times_worked_on(self) -> list[int]:
        """Count, by element, the processes that got past its lock: each begins with a first line
        of progress."""
        counts = [0] * len(self.elements)
        for log in self.folder.logs.glob("*.out"):
            index = int(re.search(r"_(\d+)\.out$", log.name)[1])  # type: ignore[index]
            counts[index] += log.read_text().count(" INFO 0 of ")
        return counts


def get(stack: Stack, path: str) -> Any:
    with stack.api() as api:
        return api.get(path)


def wait_for_run(stack: Stack, dag: str, timeout_s: float, **wanted: str) -> dict[str, Any]:
    """Return the run of a DAG whose fields are as wanted, once it is green; fail if it turns red.

    What the clock starts meanwhile is another run.
    """

    def green() -> dict[str, Any] | None:
        runs: list[dict[str, Any]] = get(stack, f"dags/{dag}/dagRuns")["dag_runs"]
        for run in runs:
            if wanted.items() <= run.items() and run["state"] in ("success", "failed"):
                assert run["state"] == "success", f"{dag}: {run}"
                return run
        return None

    run: dict[str, Any] = wait_until(green, timeout_s, f"{dag} has a green run with {wanted}")
    return run


def kill_worker(stack: Stack, run_id: str, task: str) -> None:
    """Kill the executor's worker that runs a task, as the kernel would when memory runs out."""
    path = f"dags/hybrid_campaign/dagRuns/{run_id}/taskInstances/{task}"
    scheduler = stack.roster.running("airflow-scheduler")
    assert scheduler is not None

    def worker() -> Process | None:
        title = f"airflow worker -- LocalExecutor: {get(stack, path)['id']}"
        titles = {process: _title(process.pid) for process in session_of(scheduler.process)}
        return next((process for process, found in titles.items() if title in found), None)

    wait_until(worker, 120, f"a worker runs {task}").signal(signal.SIGKILL)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
