"""What goes wrong while jobs wait: nothing is lost, repeated or left behind, and it is said.

Fifty tasks wait in one triggerer, a process of its own, while one part after the other fails.
Outages that the specification gives as a minute last seconds here: poll interval, grace period
and pauses are shorter by the same measure.
"""

import asyncio
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.run import RunHandle
from operators.housekeeping.sweeps import cancel_orphans
from operators.triggers.polling import poller_of
from tests.clusters.hpc_site import Site
from tests.clusters.login import LoginNode
from tests.harness.waiting import wait_until
from tests.integration.slurm.control_host import ControlHost, event_of

WAITING = 50
POLLS = 5
"""With half a queue: for longer than the grace period, at the interval of control_host.SITE."""


class Triggerer:
    """Serves triggers in a process of its own; killed and started again as a test likes."""

    def __init__(self, desk: Path, triggers: list[Any]) -> None:
        self.requests, self.events = desk / "triggers.json", desk / "events.jsonl"
        self.requests.write_text(json.dumps([trigger.serialize() for trigger in triggers]))
        self.output = desk / "triggerer.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [sys.executable, "-m", "tests.integration.slurm.triggerer"]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*argv, str(self.requests), str(self.events)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for_trouble(self) -> None:
        """Wait until every waiting task has been told anew that its cluster does not answer."""
        before = self.output.stat().st_size

        def complaints() -> int:
            return self.output.read_bytes()[before:].count(b"waiting: ")

        wait_until(lambda: complaints() >= WAITING, what="each task hears of the trouble")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def fired(self) -> dict[int, dict[str, Any]]:
        """Events by number; the first one counts, as in Airflow."""
        lines = self.events.read_text().splitlines() if self.events.exists() else []
        documents = [json.loads(line) for line in lines]
        return {each["number"]: each["event"] for each in reversed(documents)}


def test_fifty_jobs_outlive_everything_that_watches_them(control: ControlHost, site: Site) -> None:
    gate, login = control.desk / "gate", control.cluster.login
    tasks = [control.operator(1, "--gate", str(gate)) for _ in range(WAITING)]
    contexts = [control.context(f"run {number}") for number in range(WAITING)]
    with ThreadPoolExecutor(4) as workers:
        triggers = list(workers.map(control.defer, tasks, contexts))
    triggerer = Triggerer(control.desk, triggers)
    try:
        triggerer.start()
        wait_until(lambda: one_connection(login))
        triggerer.kill()
        triggerer.start()
        wait_until(lambda: one_connection(login))
        login.stop()
        triggerer.wait_for_trouble()
        login.start()
        wait_until(lambda: one_connection(login))
        control.cluster.controller.stop()
        triggerer.wait_for_trouble()
        control.cluster.controller.start()
        calls = control.desk / "calls"
        half = f'echo >> {shlex.quote(str(calls))}; "$REAL" "$@" | awk "NR % 2"'
        with login.command("squeue", half):  # every other line
            site.accounting.stop()
            wait_until(lambda: count(calls) >= POLLS, what="some polls see half of the queue")
            site.accounting.start()
        assert triggerer.fired() == {}, "nobody's end was seen where there was none"
        gate.touch()
        wait_until(lambda: len(triggerer.fired()) == WAITING, 180)
    finally:
        triggerer.kill()
    settled = {"status": "settled", "submissions": 1, "causes": {}}
    assert list(triggerer.fired().values()) == [settled] * WAITING
    reports = [
        task.execute_complete(context, triggerer.fired()[number])
        for number, (task, context) in enumerate(zip(tasks, contexts, strict=True))
    ]
    assert [report["done"] for report in reports] == [1] * WAITING
    assert control.solved() == [0] * WAITING
    assert control.nothing_is_left_behind()


def one_connection(login: LoginNode) -> bool:
    """However many wait: sshd serves a connection by two processes, or one for root."""
    return 1 <= len(login.connections()) <= 2


@pytest.fixture
def waiting(control: ControlHost) -> Iterator["Waiting"]:
    yield Waiting(control)


class Waiting:
    """A task whose two elements work until they are let go."""

    def __init__(self, control: ControlHost) -> None:
        self.control = control
        self.gate = control.desk / "gate"
        self.task, self.context = self.operator(), control.context()
        self.trigger = control.defer(self.task, self.context)

    def operator(self) -> Any:
        return self.control.operator(2, "--gate", str(self.gate))

    def check_it_ends_well(self) -> None:
        self.gate.touch()
        assert self.control.finish(self.task, self.context)["done"] == 2
        assert self.control.solved() == [0, 1]
        assert self.control.nothing_is_left_behind()

    def housekeeping(self, state: str) -> list[str]:
        handle = RunHandle.model_validate(self.control.handle())
        return [row["action"] for row in cancel_orphans([handle], lambda intent: state)]


def test_a_task_is_failed_while_deferred_or_its_dag_run_cleared(waiting: Waiting) -> None:
    """The trigger is killed: its job is cancelled, and what runs next begins anew."""
    asyncio.run(waiting.trigger.on_kill())
    assert waiting.control.nothing_is_left_behind()
    [folder] = waiting.control.jobs()
    assert json.loads(folder.finished.read_text())["outcome"] == "killed"
    waiting.context["ti"].max_tries += 4  # what Airflow does on "clear"
    waiting.gate.touch()
    report = waiting.control.finish(waiting.task, waiting.context)
    assert report["token"] == f"{folder.root.name}.2" and report["done"] == 2
    assert waiting.control.solved() == [0, 1]


@pytest.mark.parametrize("moment", ["while it runs", "before the triggerer saw it"])
def test_a_task_is_failed_where_nobody_hears_of_it(waiting: Waiting, moment: str) -> None:
    """The worker is ended, or the trigger never ran: housekeeping finds the orphan."""
    if moment == "while it runs":
        waiting.task.on_kill()
    assert len(waiting.control.queue()) == 1, "a worker that restarts must not cost the job"
    assert waiting.housekeeping("deferred") == ["nothing to do"]
    assert waiting.housekeeping("failed") == ["cancelled"]
    assert waiting.control.nothing_is_left_behind()
    waiting.gate.touch()
    waiting.context["ti"].max_tries += 4
    assert waiting.control.finish(waiting.task, waiting.context)["done"] == 2
    assert waiting.control.solved() == [0, 1]


def test_the_same_dag_is_triggered_twice(waiting: Waiting) -> None:
    """Two runs are two jobs, each with its own folder; neither sees the other."""
    other = waiting.control.context("manual__2")
    second = waiting.control.defer(waiting.operator(), other)
    assert second.job_ids != waiting.trigger.job_ids and second.folder != waiting.trigger.folder
    waiting.gate.touch()
    for context in (waiting.context, other):
        assert waiting.control.finish(waiting.operator(), context)["done"] == 2
    assert waiting.control.solved() == [0, 0, 1, 1]
    assert waiting.control.nothing_is_left_behind()


def count(calls: Path) -> int:
    """Lines of a file that a command adds one to whenever it is called."""
    return calls.read_text().count("\n") if calls.exists() else 0


def watch_until_logged(
    waiting: Waiting,
    capsys: pytest.CaptureFixture[str],
    words: str,
    also: Callable[[], bool] = lambda: True,
) -> None:
    """Run the trigger until it has logged these words, and `also` is so; it must not fire."""

    async def story() -> None:
        running = asyncio.create_task(event_of(waiting.trigger))
        logged = ""

        def so() -> bool:
            nonlocal logged
            logged += capsys.readouterr().out
            assert not running.done(), logged
            return words in logged and also()

        await asyncio.to_thread(wait_until, so, what=f"the trigger logs '{words}'")
        running.cancel()

    asyncio.run(story())


def test_the_host_shows_another_key(waiting: Waiting, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent to it, no retry is spent, and the task waits for a person."""
    login = waiting.control.cluster.login
    with login.another_host_key():
        watch_until_logged(waiting, capsys, "needs login: ")
        with pytest.raises(Exception, match="the host key pinned in the Connection is another one"):
            waiting.control.operator(1, patience_s=0).execute(waiting.control.context("other"))
    waiting.check_it_ends_well()


def test_the_key_has_expired(waiting: Waiting, capsys: pytest.CaptureFixture[str]) -> None:
    login = waiting.control.cluster.login
    with login.key_refused():
        login.cut()
        watch_until_logged(waiting, capsys, "needs login: ")
    waiting.check_it_ends_well()


def test_squeue_answers_half(waiting: Waiting, capsys: pytest.CaptureFixture[str]) -> None:
    """Within the grace period nothing is concluded of what the queue does not say.

    A queue that goes on answering without a job is believed after it: test_faults_sites shows that
    the job is then cancelled before its elements are tried again.
    """
    waiting.trigger.site = {**waiting.trigger.site, "grace_s": 120}
    calls = waiting.control.desk / "calls"
    half = f'echo >> {shlex.quote(str(calls))}; "$REAL" "$@" | head -n 1'
    with waiting.control.cluster.login.command("squeue", half):
        watch_until_logged(waiting, capsys, "0 of 2 elements", lambda: count(calls) >= POLLS)
    waiting.check_it_ends_well()


def test_the_deadline_ends_what_never_ends(waiting: Waiting) -> None:
    waiting.trigger.deadline = time.time() + 3
    event = asyncio.run(event_of(waiting.trigger))
    assert event["status"] == "deadline"
    with pytest.raises(AirflowFailException, match="cancelled"):
        waiting.task.execute_complete(waiting.context, event)
    assert waiting.control.nothing_is_left_behind()
    assert waiting.control.solved() == []


def test_the_task_resumes_within_an_interval_of_the_last_result(waiting: Waiting) -> None:
    """Counted in polls: the one that sees the results, and one that may have been under way."""

    async def story() -> int:
        poller = poller_of(Cluster.model_validate(waiting.trigger.site))
        running = asyncio.create_task(event_of(waiting.trigger))
        await asyncio.to_thread(wait_until, lambda: len(began(waiting)) == 2)
        waiting.gate.touch()
        [folder] = waiting.control.jobs()
        results = [folder.result(0), folder.result(1)]
        await asyncio.to_thread(wait_until, lambda: all(path.exists() for path in results))
        before = poller.polls
        await running
        return poller.polls - before

    assert asyncio.run(story()) <= 2
    assert waiting.control.nothing_is_left_behind()


def began(waiting: Waiting) -> list[Path]:
    return list(waiting.control.run.root.glob("began-*"))
