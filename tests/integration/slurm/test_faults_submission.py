"""What goes wrong around sbatch: no record lost, no element solved twice, no job left behind."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.run import RunHandle
from operators.housekeeping.sweeps import cancel_orphans
from tests.clusters.hpc_site import Site
from tests.harness.waiting import wait_until
from tests.integration.slurm.control_host import ControlHost, TaskState, event_of

TIMED_OUT = """
echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2
exit 1
"""


def test_sbatch_queues_the_job_and_reports_a_time_out(control: ControlHost) -> None:
    with control.cluster.login.command("sbatch", '"$REAL" "$@" >/dev/null; ' + TIMED_OUT):
        report = control.finish(control.operator(3), control.context())
    assert report["done"] == 3 and len(report["job_ids"]) == 1
    assert control.solved() == [0, 1, 2]
    assert control.nothing_is_left_behind()


@pytest.mark.slow
def test_a_limit_on_jobs_is_waited_for_and_the_rest_follows(control: ControlHost) -> None:
    """The task defers, says how many wait, and comes back whenever there may be room."""
    task, context = control.operator(10), control.context()
    with control.cluster.jobs_limited_to(4):
        trigger = control.defer(task, context)
        assert trigger.held_back
        event = asyncio.run(event_of(trigger))
        assert event["status"] == "room"
        report = control.finish(task, context, event)
    assert report["done"] == 10 and report["failed"] == 0
    assert control.solved() == list(range(10))
    assert control.nothing_is_left_behind()


@pytest.mark.parametrize("arrives", [True, False], ids=["queued", "never queued"])
def test_the_connection_is_cut_during_sbatch(control: ControlHost, arrives: bool) -> None:
    login, began = control.cluster.login, control.desk / "began"
    script = f"[ -e {began} ] || {{ touch {began}; sleep 1; {'' if arrives else 'exit 1;'} }}\n"
    task, context = control.operator(3), control.context()

    def cut() -> None:
        wait_until(began.exists)
        login.cut()

    cutting = threading.Thread(target=cut)
    cutting.start()
    with login.command("sbatch", script + 'exec "$REAL" "$@"'):
        report = control.finish(task, context)
    cutting.join()
    assert report["done"] == 3 and len(report["job_ids"]) == 1
    assert control.solved() == [0, 1, 2]
    assert control.nothing_is_left_behind()


def test_the_worker_is_killed_between_submit_and_store(control: ControlHost) -> None:
    queued, context = control.desk / "queued", control.context()
    script = f'"$REAL" "$@" > {queued}.draft; mv {queued}.draft {queued}; sleep 30'
    with control.cluster.login.command("sbatch", script):
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.slurm.worker", str(request(control, context))]
        )
        wait_until(queued.exists)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
    report = control.finish(control.operator(3), context)
    assert report["job_ids"] == [queued.read_text().strip()]
    assert control.solved() == [0, 1, 2]
    assert control.nothing_is_left_behind()


def request(control: ControlHost, context: dict[str, Any]) -> Path:
    """What a worker of its own needs to know."""
    path = control.desk / "request.json"
    operator = {"task_id": "solve", "job": "solve_shard", "elements": 3, "run": control.handle()}
    document = {
        "environment": {name: os.environ[name] for name in control.environment},
        "ti": vars(context["ti"]),
        "state": str(context["task_state_store"].path),
        "operator": operator,
    }
    path.write_text(json.dumps(document))
    return path


def test_two_workers_at_once_submit_one_array(control: ControlHost) -> None:
    """A worker that Airflow has given up, but that still works, beside the retry."""
    context, slow = control.context(), 'sleep 1; exec "$REAL" "$@"'
    gate = control.desk / "gate"  # the array does not end before both have seen it
    task = (3, "--gate", str(gate))
    with control.cluster.login.command("sbatch", slow):
        workers = [
            threading.Thread(target=control.defer, args=(control.operator(*task), context))
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    [folder] = control.jobs()
    record = json.loads(folder.submission(0).read_text())
    assert len(record["job_ids"]) == 1 and not folder.submission(1).exists()
    gate.touch()
    report = control.finish(control.operator(*task), context)
    assert report["job_ids"] == record["job_ids"]
    assert control.solved() == [0, 1, 2]
    assert control.nothing_is_left_behind()


def test_sbatch_fails_and_queues_the_job_all_the_same(control: ControlHost) -> None:
    """The queue outranks words that nobody knows."""
    script = '"$REAL" "$@" >/dev/null; echo "plugin: quota service is asleep" >&2; exit 1'
    with control.cluster.login.command("sbatch", script):
        report = control.finish(control.operator(2), control.context())
    assert report["done"] == 2 and control.solved() == [0, 1]
    assert control.nothing_is_left_behind()


def test_a_deleted_dag_run_that_is_created_again_does_not_inherit_the_job(
    control: ControlHost,
) -> None:
    """Same ids, same run folder, and Slurm still works on what the first one asked for."""
    gate = control.desk / "gate"
    control.defer(control.operator(2, "--gate", str(gate)), control.context())
    [before] = control.queue()
    control.context()["task_state_store"].path.unlink()  # Airflow deletes it with the run
    report = control.finish(control.operator(2), control.context())
    assert report["done"] == 2 and report["token"].endswith(".2")
    assert before not in control.queue(), "the first one's job was cancelled"
    assert control.solved() == [0, 1]
    first = next(folder for folder in control.jobs() if not folder.root.name.endswith(".2"))
    assert json.loads(first.finished.read_text())["outcome"] == "abandoned"
    assert control.nothing_is_left_behind()


def test_the_accounting_remembers_a_job_whose_folder_is_gone(control: ControlHost) -> None:
    context = control.context()
    first = control.finish(control.operator(2), context)
    control.jobs()[0].root.rename(control.desk / "lost")
    context["task_state_store"].path.unlink()
    second = control.finish(control.operator(2), context)
    assert second["token"] == first["token"] and second["job_ids"] != first["job_ids"]
    assert control.solved() == [0, 0, 1, 1], "asked for twice, by two runs"


def test_housekeeping_cancels_what_another_job_has_replaced(control: ControlHost) -> None:
    context, gate = control.context(), control.desk / "gate"
    control.defer(control.operator(1, "--gate", str(gate)), context)
    [orphan] = control.queue()
    [folder] = control.jobs()
    folder.submission(0).unlink()
    context["task_state_store"].path.unlink()
    folder.intent.unlink()
    control.defer(control.operator(1, "--gate", str(gate)), context)
    rows = cancel_orphans([RunHandle.model_validate(control.handle())], lambda intent: "deferred")
    assert sorted((row["task"], row["action"]) for row in rows) == [
        ("deferred", "nothing to do"),
        ("history", "cancelled"),
    ]
    wait_until(lambda: orphan not in control.queue(), 20)
    gate.touch()
    assert control.finish(control.operator(1), context)["done"] == 1


def test_slurmdbd_is_down(control: ControlHost, site: Site) -> None:
    """Jobs are submitted, looked up and end well without it."""
    site.accounting.stop()
    try:
        with control.cluster.login.command("sbatch", '"$REAL" "$@" >/dev/null; ' + TIMED_OUT):
            report = control.finish(control.operator(2), control.context())
    finally:
        site.accounting.start()
    assert report["done"] == 2 and control.solved() == [0, 1]
    assert control.nothing_is_left_behind()


def test_a_lease_that_is_too_short_is_extended_or_refused(control: ControlHost) -> None:
    control.describe(workspaces="{kind: hpc_workspace}")
    left = control.desk / "left"
    left.write_text("0 days 1 hours")
    listed = (
        f'printf "id: trial\\n     workspace directory  : %s\\n     remaining time       : %s\\n'
        f'     available extensions : 1\\n" {shlex.quote(str(control.folder))} "$(cat {left})"'
    )
    refused = "echo 'Error: no more extensions.' >&2; exit 255"
    login, wanted = control.cluster.login, {"overrides": {"walltime_s": 2 * 86400}}
    with login.command("ws_list", listed), login.command("ws_extend", refused):
        with pytest.raises(AirflowFailException, match=r"0\.0 days, the job may take 2\.0 days"):
            control.operator(1, **wanted).execute(control.context())
        assert control.queue() == []
        report = control.finish(control.operator(1), control.context())
        assert report["done"] == 1, "five minutes fit"
    short = {"overrides": {"walltime_s": 3000}}
    left.write_text("0 days 0 hours")
    capped = pytest.raises(AirflowFailException, match="capped")
    with login.command("ws_list", listed), login.command("ws_extend", "exit 0"), capped:
        control.operator(1, **short).execute(control.context("other"))
    granted = f'[ "$*" = "trial 2" ] && echo "2 days 0 hours" > {left}'
    with login.command("ws_list", listed), login.command("ws_extend", granted):
        assert control.finish(control.operator(1, **short), control.context("other"))["done"] == 1


def test_a_reason_to_wait_for_ever_is_told(
    control: ControlHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """PartitionTimeLimit: accepted, and never started."""
    task = control.operator(1, overrides={"walltime_s": 7200}, deadline_s=8)
    with pytest.raises(AirflowFailException, match="not done 8 s after"):
        control.finish(task, control.context())
    assert (
        "the walltime is longer than the partition allows; ask for less" in capsys.readouterr().out
    )
    assert control.nothing_is_left_behind()


def test_clocks_are_ten_minutes_apart(
    control: ControlHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control host's is wrong, one way and then the other."""
    truth = time.time
    for number, error_s in enumerate((-600.0, 600.0)):
        monkeypatch.setattr(time, "time", lambda error_s=error_s: truth() + error_s)
        report = control.finish(control.operator(2), control.context(f"run {number}"))
        monkeypatch.setattr(time, "time", truth)
        assert report["done"] == 2 and 0 <= report["wall_s"] < 60
    assert control.solved() == [0, 0, 1, 1]
    assert control.nothing_is_left_behind()


def test_task_state_outlives_a_worker(tmp_path: Path) -> None:
    """What the tests' own stand-in for Airflow's store promises."""
    state = TaskState(tmp_path / "state.json")
    state.set("a", {"b": [1]})
    assert TaskState(state.path).get("a") == {"b": [1]} and state.get("c") is None
    state.delete("a")
    assert TaskState(state.path).get("a") is None
