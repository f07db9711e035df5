"""What goes wrong with elements while they work: told by cause, tried again by cause, counted."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.job_folder.folder import JobFolder
from tests.clusters.hpc_site import Site
from tests.harness.waiting import wait_until
from tests.integration.slurm.control_host import ControlHost, event_of


def record(folder: JobFolder[Path], number: int) -> dict[str, Any]:
    return dict(json.loads(folder.submission(number).read_text()))


def test_every_way_to_die_gets_its_own_second_try(control: ControlHost, site: Site) -> None:
    """By exit code, by a signal, by walltime, by memory; the rest of the array is left alone."""
    ways = ["--fail", "1", "--exit", "2", "--killed", "3", "--hang", "4", "--greedy", "5"]
    task, context = control.operator(6, *ways), control.context()
    trigger = control.defer(task, context)
    [job_id] = trigger.job_ids[0]
    wait_until(lambda: (control.run.root / "began-4").exists())
    control.cluster.expire(f"{job_id}_4")
    report = control.finish(task, context)
    assert report["done"] == 6 and report["failed"] == 0
    assert control.solved() == [0, 1, 2, 3, 4, 5]
    [folder] = control.jobs()
    again = {}
    for number in range(1, len(list(folder.root.glob("submission-*.json")))):
        found = record(folder, number)
        for cause, ranges in found["again"].items():
            wanted = found["resources"]
            again[cause] = (ranges, wanted["memory_mib"], wanted["walltime_s"])
    assert again["TIMEOUT"] == ("4", 150, 450), "more time"
    if site.out_of_memory_is_told:
        assert again["OUT_OF_MEMORY"] == ("5", 225, 300), "more memory"
        assert again["FAILED"] == ("1-3", 150, 300), "the same again"
    else:
        assert again["FAILED"] == ("1-3,5", 150, 300), "without cgroups, Slurm cannot tell"
    assert control.nothing_is_left_behind()


def test_an_element_that_fails_for_good_is_named_with_its_last_words(
    control: ControlHost, capsys: pytest.CaptureFixture[str]
) -> None:
    task = control.operator(3, "--fail", "1", handle={"tries_per_element": 1})
    with pytest.raises(AirflowFailException, match=r"1 of 3 elements") as refusal:
        control.finish(task, control.context())
    assert "RuntimeError: told to fail once (element 1)" in str(refusal.value)
    assert "RuntimeError: told to fail once" in capsys.readouterr().out
    [folder] = control.jobs()
    assert json.loads(folder.finished.read_text())["given_up"] == {"FAILED": "1"}
    spared = control.operator(
        3, "--fail", "1", handle={"tries_per_element": 1, "allowed_loss": 0.4, "run_id": "trial"}
    )
    (control.run.root / "began-1").unlink()
    report = control.finish(spared, control.context("other"))
    assert report["done"] == 2 and report["failures"] == {"1": "FAILED"}
    assert control.nothing_is_left_behind()


def test_more_memory_than_there_is_is_not_asked_for_twice(control: ControlHost, site: Site) -> None:
    """The refused second try gives the element up, not the array."""
    if not site.out_of_memory_is_told:
        control.describe(options=["--exclude=a2,a3"])
    largest = {"overrides": {"memory_mib": 1900}}
    handle = {"tries_per_element": 3, "allowed_loss": 0.5}
    task, context = control.operator(2, "--hang", "1", handle=handle, **largest), control.context()
    trigger = control.defer(task, context)
    [job_id] = trigger.job_ids[0]
    wait_until(lambda: (control.run.root / "began-1").exists())
    event = {"status": "settled", "submissions": 1, "causes": {"OUT_OF_MEMORY": "1"}}
    control.cluster.admin("scancel", f"{job_id}_1")
    wait_until(lambda: control.solved() == [0])
    report = control.finish(task, context, event)
    assert report["done"] == 1 and report["failures"] == {"1": "OUT_OF_MEMORY"}
    assert control.nothing_is_left_behind()


def test_a_node_is_drained_then_dies_under_its_elements(control: ControlHost) -> None:
    """Slurm puts the elements back into the queue: the same job, hence the same lock."""
    task, context = control.operator(12, "--sleep-s", "4"), control.context()
    [job_id] = control.defer(task, context).job_ids[0]
    wait_until(lambda: len(list(control.run.root.glob("began-*"))) >= 9)
    control.cluster.drain("a1")
    control.cluster.power_off("a2")
    control.cluster.declare_down("a2")
    try:
        time.sleep(2)
        control.cluster.start_requeued(job_id)
        report = control.finish(task, context)
    finally:
        control.cluster.resume("a2")
        control.cluster.resume("a1")
    assert report["done"] == 12 and report["job_ids"] == [job_id]
    assert control.solved() == list(range(12))
    assert control.nothing_is_left_behind()


def test_elements_that_are_not_put_back_are_submitted_again(control: ControlHost) -> None:
    """NODE_FAIL is nobody's fault: tried again although one try is all that is allowed."""
    control.describe(options=["--no-requeue"])
    task = control.operator(2, "--sleep-s", "6", handle={"tries_per_element": 1})
    context = control.context()
    trigger = control.defer(task, context)
    [job_id] = trigger.job_ids[0]
    wait_until(lambda: len(list(control.run.root.glob("began-*"))) == 2)
    nodes = control.cluster.admin("squeue", "--noheader", "--format=%N", f"--jobs={job_id}")
    node = nodes.split()[0]
    control.cluster.power_off(node)
    control.cluster.declare_down(node)
    try:
        report = control.finish(task, context)
    finally:
        control.cluster.resume(node)
    assert report["done"] == 2 and control.solved() == [0, 1]
    assert control.nothing_is_left_behind()


def test_an_element_prints_a_gigabyte(control: ControlHost) -> None:
    """Nobody reads the whole: not the task, nor the page that shows the log."""
    from hpc_jobs.contract.run import RunHandle
    from operators.pages.job_log import TAIL_BYTES, read_log

    task = control.operator(
        *(1, "--huge-output", str(1 << 30), "--fail", "0"), handle={"tries_per_element": 1}
    )
    started = time.process_time()
    with pytest.raises(AirflowFailException):
        control.finish(task, control.context())
    [folder] = control.jobs()
    [log] = folder.logs.iterdir()
    assert log.stat().st_size > 1 << 30
    _, name, text = read_log(RunHandle.model_validate(control.handle()), folder.root.name, None)
    assert name == log.name and len(text) <= TAIL_BYTES and "told to fail once" in text
    assert time.process_time() - started < 5


@pytest.fixture
def small(folder: Path) -> Iterator[Path]:
    """The workspace as a filesystem of two MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0 and "CI" not in os.environ:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_workspace_is_full(small: Path, control: ControlHost) -> None:
    """Neither results nor logs can be written; once there is room, the rest is done."""
    gate, filler = control.desk / "gate", small / "filler"
    task, context = control.operator(3, "--gate", str(gate)), control.context()
    trigger = control.defer(task, context)
    wait_until(lambda: len(list(control.run.root.glob("began-*"))) == 3)
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)
    gate.touch()
    event = run_trigger(trigger)
    assert sum(map(len, event["causes"].values())) > 0
    with pytest.raises(AirflowFailException, match=r"(?i)no space|failure|write"):
        task.execute_complete(context, event)
    filler.unlink()
    report = control.finish(task, context)
    assert report["done"] == 3
    assert sorted(set(control.solved())) == [0, 1, 2]
    assert control.nothing_is_left_behind()


def run_trigger(trigger: Any) -> dict[str, Any]:
    import asyncio

    return asyncio.run(event_of(trigger))


def test_a_shard_is_truncated_after_its_publication(control: ControlHost) -> None:
    """The reader's side does not let it pass, and names the file."""
    from hpc_jobs.contract.errors import CorruptFile
    from hpc_jobs.contract.records import publish_manifest, read_manifest
    from operators.sensors.visible_files import WorkspaceSensor

    shard = control.run.root / "dataset" / "shard.h5"
    shard.parent.mkdir()
    shard.write_bytes(bytes(range(256)) * 40)
    manifest = shard.with_name("manifest.json")
    publish_manifest(manifest, "dataset", [shard])
    sensor = WorkspaceSensor(
        **{"task_id": "see", "site": "cpu", "run": control.handle(), "deferrable": False},
        manifests=["dataset/manifest.json"],
    )
    assert sensor.poke(control.context())
    shard.write_bytes(shard.read_bytes()[:-1])
    assert not sensor.poke(control.context())
    with pytest.raises(CorruptFile, match=r"shard\.h5: 10239 bytes, its manifest says 10240"):
        read_manifest(manifest, "dataset")
