"""The batch queue: arrays, limits, and that nothing runs twice whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from quickstart.batchq.store import State, Store
from quickstart.processes import Process, identify
from tests.harness.waiting import wait_until
from tests.unit.quickstart.conftest import Queue


def test_an_array_runs_every_element_once_and_says_how_it_ended(queue: Queue) -> None:
    queue.serve()
    number = queue.submit(
        'echo "$BATCHQ_JOB_ID/$BATCHQ_ARRAY_INDEX"; exit $((BATCHQ_ARRAY_INDEX % 2))', array="0-2,7"
    )
    assert queue.wait(number) == ["COMPLETED", "FAILED", "COMPLETED", "FAILED"]
    elements = queue.elements(number)
    assert [element["index"] for element in elements] == [0, 1, 2, 7]
    assert [element["exit_code"] for element in elements] == [0, 1, 0, 1]
    assert all(element["started"] <= element["ended"] for element in elements)
    for index in (0, 1, 2, 7):
        assert (queue.logs / f"{number}_{index}.out").read_text() == f"{number}/{index}\n"


def test_a_job_is_queued_while_the_daemon_is_down(queue: Queue) -> None:
    first, second = queue.submit("true"), queue.submit("true")
    assert int(second) == int(first) + 1
    assert queue.states(first) == ["PENDING"]
    queue.serve()
    assert queue.wait(first) == queue.wait(second) == ["COMPLETED"]
    queue.kill_daemon()
    assert int(queue.submit("true")) == int(second) + 1  # numbers are never given again


def test_slots_limit_what_runs_at_once(queue: Queue) -> None:
    queue.serve(slots=2)
    number = queue.submit(
        f"cd {queue.folder}; touch running-$BATCHQ_ARRAY_INDEX began-$BATCHQ_ARRAY_INDEX\n"
        "partner=began-$((BATCHQ_ARRAY_INDEX ^ 1))\n"
        "until [ -e $partner ]; do sleep 0.05; done  # ends only if two run at once\n"
        "ls running-* | wc -l > saw-$BATCHQ_ARRAY_INDEX; sleep 0.2\n"
        "rm running-$BATCHQ_ARRAY_INDEX",
        array="0-5",
    )
    queue.wait(number)
    running = [int((queue.folder / f"saw-{index}").read_text()) for index in range(6)]
    assert max(running) == 2


def test_a_job_that_asks_for_more_cpus_than_there_are_is_refused(queue: Queue) -> None:
    queue.serve(slots=2)
    wait_until((queue.state / "queue.json").exists)
    script = queue.folder / "s.sh"
    script.write_text("#!/bin/sh\n")
    reply = queue.run("submit", str(script), "--name", "wide", "--cpus", "3")
    assert reply.returncode != 0 and not reply.stdout
    assert "refused: 3 cpus" in reply.stderr and "has 2" in reply.stderr


@pytest.mark.parametrize("array", ["3-1", "x", "1,,2", "-1", "1-"])
def test_a_wrong_array_is_refused(queue: Queue, array: str) -> None:
    reply = queue.run("submit", "s.sh", "--name", "n", f"--array={array}")
    assert reply.returncode != 0 and "--array" in reply.stderr


def test_status_selects_by_name_or_number_and_leaves_out_the_unknown(queue: Queue) -> None:
    alpha, beta = queue.submit("true", name="alpha"), queue.submit("true", name="beta")

    def numbers(*arguments: str) -> list[str]:
        reply = queue.run("status", "--json", *arguments)
        return [job["id"] for job in json.loads(reply.stdout)["jobs"]]

    assert numbers() == [alpha, beta]
    assert numbers("--name", "beta") == [beta]
    assert numbers("--name", "beta", alpha) == [alpha, beta]
    assert numbers("--name", "gamma") == numbers("999") == []
    assert "1 PENDING" in queue.run("status").stdout


def test_walltime_ends_an_element_that_ignores_the_polite_signal(queue: Queue) -> None:
    queue.serve()
    number = queue.submit("trap '' TERM; while :; do sleep 0.1; done", walltime_s=1)
    assert queue.wait(number) == ["TIMEOUT"]
    assert "TIMEOUT" in (queue.logs / f"{number}_0.out").read_text()


def test_memory_is_limited_over_all_processes_of_an_element(queue: Queue) -> None:
    queue.serve()
    hog = f"{sys.executable} -c 'block = bytearray(300 << 20); import time; time.sleep(60)'"
    number = queue.submit(f"({hog}) & wait", memory_mib=200)
    assert queue.wait(number) == ["OUT_OF_MEMORY"]
    assert queue.elements(number)[0]["exit_code"] != 0


def test_cancel_ends_what_runs_and_what_waits(queue: Queue) -> None:
    queue.serve(slots=1)
    number = queue.submit("sleep 60", array="0-2")
    wait_until(lambda: queue.states(number)[0] == "RUNNING")
    assert queue.run("cancel", number).returncode == 0
    assert queue.wait(number) == ["CANCELLED"] * 3
    assert queue.run("cancel", "999").returncode != 0


def test_a_running_element_is_cancelled_without_a_daemon(queue: Queue) -> None:
    queue.serve(slots=1)
    number = queue.submit("sleep 60")
    wait_until(lambda: queue.states(number) == ["RUNNING"])
    queue.kill_daemon()
    queue.run("cancel", number)
    assert queue.wait(number) == ["CANCELLED"]


def test_killing_the_daemon_again_and_again_loses_and_repeats_nothing(queue: Queue) -> None:
    count = 12
    number = queue.submit(
        f"echo x >> {queue.folder}/ran-$BATCHQ_ARRAY_INDEX; sleep 0.5", array=f"0-{count - 1}"
    )
    while not all(element["ended"] for element in queue.elements(number)):
        queue.serve()
        time.sleep(0.7)
        queue.kill_daemon()
    assert queue.states(number) == ["COMPLETED"] * count
    ran = [(queue.folder / f"ran-{index}").read_text() for index in range(count)]
    assert ran == ["x\n"] * count


def test_an_element_ends_well_while_the_daemon_is_down(queue: Queue) -> None:
    queue.serve()
    number = queue.submit("sleep 1; exit 3")
    wait_until(lambda: queue.states(number) == ["RUNNING"])
    queue.kill_daemon()
    assert queue.wait(number) == ["FAILED"]
    assert queue.elements(number)[0]["exit_code"] == 3


@pytest.mark.parametrize("daemon_is_up", [True, False])
def test_an_element_whose_runner_vanished_has_failed_with_its_node(
    queue: Queue, daemon_is_up: bool
) -> None:
    queue.serve()
    number = queue.submit(f"echo $$ > {queue.folder}/pid; sleep 60")
    wait_until((queue.folder / "pid").exists)
    if not daemon_is_up:
        queue.kill_daemon()
    script = identify(int(wait_until((queue.folder / "pid").read_text)))
    job = Store(queue.state).job(number)
    assert job is not None and script is not None
    runner = job.element(0).runner()
    assert runner is not None
    os.kill(runner.pid, signal.SIGKILL)
    if not daemon_is_up:
        queue.serve()
    assert queue.wait(number) == ["NODE_FAIL"]
    wait_until(lambda: not script.alive)  # what it left behind is ended with it


def test_a_second_daemon_leaves(queue: Queue) -> None:
    queue.serve()
    wait_until((queue.state / "queue.json").exists)
    reply = queue.run("serve")
    assert reply.returncode != 0 and "has a daemon already" in reply.stderr


def test_an_element_is_claimed_and_ended_once(queue: Queue) -> None:
    number = queue.submit("true")
    job = Store(queue.state).job(number)
    assert job is not None
    element = job.element(0)
    assert element.start(Process(1, "a"))
    assert not element.start(Process(2, "b"))
    assert element.runner() == Process(1, "a")
    assert element.end(State.COMPLETED, 0)
    assert not element.end(State.NODE_FAIL)
    assert queue.states(number) == ["COMPLETED"]


def test_the_state_folder_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATCHQ_STATE", raising=False)
    command = [sys.executable, "-m", "quickstart.batchq.cli", "status"]
    reply = subprocess.run(command, capture_output=True, text=True)
    assert reply.returncode != 0 and "BATCHQ_STATE is not set" in reply.stderr
