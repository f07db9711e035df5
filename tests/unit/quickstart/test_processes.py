"""Processes are known by number and birth, so a reused number is never mistaken."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quickstart.processes import (
    Process,
    identify,
    listens,
    session_of,
    session_resident_bytes,
    stop,
    stop_session,
    with_environment,
)
from tests.harness.waiting import wait_until


def _spawn(script: str, **options: object) -> tuple[subprocess.Popen[bytes], Process]:
    child = subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True, **options)
    process = identify(child.pid)
    assert process is not None
    return child, process


def test_a_process_is_alive_until_it_ends_and_a_zombie_is_not() -> None:
    child, process = _spawn("sleep 30")
    assert process.alive
    child.kill()
    wait_until(lambda: not process.alive)  # not waited for: a zombie until now
    child.wait()
    assert identify(child.pid) is None


def test_another_process_with_the_same_number_is_neither_alive_nor_signalled() -> None:
    child, process = _spawn("sleep 30")
    earlier = replace(process, began="another-boot/1")
    assert not earlier.alive
    earlier.signal(signal.SIGKILL)
    stop([earlier], patience_s=0.0)
    stop_session(earlier, patience_s=0.0)
    assert session_of(earlier) == []
    assert process.alive
    child.kill()
    child.wait()


def test_a_session_outlives_its_leader_and_is_still_found(tmp_path: Path) -> None:
    child, leader = _spawn(f"sleep 30 & echo $! > {tmp_path}/pid; exec sleep 30")
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    orphan = identify(pid)
    assert session_of(leader) == [orphan]
    child.kill()
    child.wait()
    assert session_of(leader) == [orphan]
    stop_session(leader, patience_s=1.0)
    assert orphan is not None and not orphan.alive


def test_stop_is_polite_first_and_hard_then(tmp_path: Path) -> None:
    polite, first = _spawn(f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; sleep 30 & wait")
    deaf, second = _spawn(f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 0.1; done")
    wait_until((tmp_path / "deaf").exists)
    stop([first, second], patience_s=0.5)
    assert (tmp_path / "bye").exists()
    assert polite.wait() == 0
    assert deaf.wait() == -signal.SIGKILL
    stop_session(first, patience_s=0.0)
    stop_session(second, patience_s=0.0)


def test_memory_of_a_session_is_that_of_its_processes() -> None:
    script = (
        f"{sys.executable} -c 'block = bytearray(80 << 20); import time; time.sleep(30)' & wait"
    )
    child, leader = _spawn(script)
    wait_until(lambda: session_resident_bytes(leader) > 80 << 20)
    assert session_resident_bytes(leader) < 160 << 20
    stop([leader], patience_s=0.0)
    stop_session(leader, patience_s=0.0)
    child.wait()


@pytest.mark.parametrize(("value", "found"), [("stack a", True), ("stack", False)])
def test_processes_are_found_by_what_they_inherited(value: str, found: bool) -> None:
    child, process = _spawn("exec sleep 30", env=os.environ | {"TEST_MARK": "stack a"})
    wait_until(lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep"))
    assert (process in with_environment("TEST_MARK", value)) is found
    child.kill()
    child.wait()


def test_who_listens_is_told_apart_from_who_else_answers_there() -> None:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        port = mine.getsockname()[1]
        me = identify(os.getsid(0)) or identify(os.getpid())
        assert me is not None and not listens(me, port), "bound, not yet listening"
        mine.listen()
        assert listens(Process(os.getpid(), ""), port)
        child, stranger = _spawn("sleep 30", close_fds=True)
        assert not listens(stranger, port)
        stop([stranger], 0.0)
        child.wait()
        inherited, heir = _spawn("sleep 30 & wait", pass_fds=(mine.fileno(),))
    assert listens(heir, port), "what a process or its session inherited is its own, too"
    stop_session(heir, 0.0)
    stop([heir], 0.0)
    inherited.wait()
    assert not listens(heir, port)
