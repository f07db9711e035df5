"""Waiting: one connection for all, outages and refused logins waited out, kills that cancel."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.module_loading import import_string

from hpc_jobs.contract.cluster import Cluster as Site
from hpc_jobs.contract.records import publish_manifest
from operators.array.operator import HpcArrayJobOperator
from operators.sensors.visible_files import WorkspaceSensor
from operators.triggers import polling
from operators.triggers.array_job import ArrayJobTrigger
from operators.triggers.visible_files import WorkspaceTrigger
from quickstart.login_node import make_key, public_line
from tests.harness.waiting import PATIENCE_S, wait_until
from tests.unit.operators.conftest import Cluster


def twin(trigger: Any) -> Any:
    """What the triggerer gets: a trigger rebuilt from its serialised form."""
    path, values = trigger.serialize()
    return import_string(path)(**json.loads(json.dumps(values)))


async def event_of(trigger: Any) -> dict[str, Any]:
    async for event in twin(trigger).run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def defer(cluster: Cluster, context: dict[str, Any], number: int = 0, **options: Any) -> Any:
    """Submit an array and return the trigger that waits for it."""
    cluster.describe(inline_wait_s=0)
    context["ti"].run_id = f"run {number}"
    defaults: dict[str, Any] = {"job": "solve_shard", "elements": 2, "first_poll_s": 0.1}
    task = HpcArrayJobOperator(task_id="t", run=cluster.handle(), **(defaults | options))
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    return deferred.value.trigger


def test_serialisation_round_trip() -> None:
    values = {
        "site": Site.model_validate(
            {
                "name": "cpu",
                "description": "x",
                "scheduler": "slurm",
                "workspaces": {"kind": "directory", "root": "/w"},
            }
        ).model_dump(mode="json"),
        "folder": "/w/r/jobs/t",
        "elements": 100_000,
        "job_ids": [["12"], ["13", "14"]],
        "deadline": 1795192836.5,
        "submitted": 1795188236.5,
        "held_back": False,
        "first_poll_s": 10.0,
        "work": 10_300,
        "unit": "records",
    }
    path, kept = twin(ArrayJobTrigger(**values)).serialize()
    assert kept == values
    assert import_string(path) is ArrayJobTrigger
    assert len(json.dumps(kept)) < 1500, "its size does not depend on the number of elements"
    seen = {
        "site": values["site"],
        "manifests": ["/w/r/dataset/manifest.json"],
        "hash_bytes": 1e9,
        "interval_s": 10.0,
        "deadline": 1.0,
    }
    path, kept = twin(WorkspaceTrigger(**seen)).serialize()
    assert kept == seen
    assert import_string(path) is WorkspaceTrigger


@pytest.mark.slow
def test_many_jobs_share_one_connection_and_one_command(
    cluster: Cluster, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    triggers = [defer(cluster, context, number, arguments=["--sleep", "4"]) for number in range(4)]
    connections, commands = [], list[str]()
    connect = polling.connect_async

    async def counted(name: str) -> Any:
        transport = await connect(name)
        connections.append(transport)
        run = transport.run

        async def told(argv: Any, timeout_s: float = 60.0) -> Any:
            commands.append(" ".join(argv))
            return await run(argv, timeout_s)

        transport.run = told  # type: ignore[method-assign]
        return transport

    async def story() -> list[dict[str, Any]]:
        site = Site.model_validate(triggers[0].site)
        poller = polling.poller_of(site, counted)
        started = time.monotonic()
        events = await asyncio.gather(*(event_of(trigger) for trigger in triggers))
        status = [command for command in commands if "batchq status" in command]
        assert len(status) == poller.polls, "one status command a poll"
        assert poller.polls <= 1 + (time.monotonic() - started) / site.poll_interval_s
        return list(events)

    events = asyncio.run(story())
    assert events == [{"status": "settled", "submissions": 1, "causes": {}}] * 4
    assert len(connections) == 1


@pytest.mark.slow
def test_a_dead_login_node_is_waited_for(
    cluster: Cluster, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = defer(cluster, context, arguments=["--sleep", "3"])
    cluster.login.stop()
    reports = reports_of(monkeypatch)

    async def story() -> dict[str, Any]:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(wait_until, lambda: sum(bool(r.trouble) for r in reports) >= 2)
        assert not waiting.done()
        await asyncio.to_thread(cluster.login.start)
        return await asyncio.wait_for(waiting, PATIENCE_S)

    assert asyncio.run(story())["causes"] == {}


def reports_of(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that the triggers hear of their jobs from now on."""
    reports = list[Any]()
    monkeypatch.setattr(
        ArrayJobTrigger, "_say", lambda self, report, *_: reports.append(report) or ""
    )
    return reports


@pytest.mark.slow
def test_refused_logins_wait_for_a_person(
    cluster: Cluster,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trigger = defer(cluster, context)
    stranger = make_key(cluster.folder / "stranger")
    good = cluster.login.connection()
    changes: list[Callable[[], str]] = [
        lambda: cluster.login.connection(private_key=stranger.export_private_key().decode()),
        lambda: cluster.login.connection(host_key=public_line(stranger)),
    ]
    reports = reports_of(monkeypatch)

    async def story() -> dict[str, Any]:
        monkeypatch.setenv("AIRFLOW_CONN_CPU", changes[0]())
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(wait_until, lambda: reports)
        monkeypatch.setenv("AIRFLOW_CONN_CPU", changes[1]())
        await asyncio.to_thread(wait_until, lambda: any("pinned" in r.trouble for r in reports))
        assert not waiting.done()
        monkeypatch.setenv("AIRFLOW_CONN_CPU", good)
        return await asyncio.wait_for(waiting, PATIENCE_S)

    assert asyncio.run(story())["status"] == "settled"
    assert "needs login" in reports[0].trouble and "refused" in reports[0].trouble


def test_the_deadline_fires_although_nothing_ends(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    trigger = defer(cluster, context, deadline_s=4, arguments=["--sleep", "60"])
    event = asyncio.run(event_of(trigger))
    assert event["status"] == "deadline"
    task = HpcArrayJobOperator(
        task_id="t", run=cluster.handle(), job="solve_shard", elements=2, deadline_s=4
    )
    with pytest.raises(Exception, match="not done 4 s after"):
        task.execute_complete(context, event)
    states = lambda: {e["state"] for j in cluster.queue.jobs() for e in j["elements"]}  # noqa: E731
    wait_until(lambda: states() == {"CANCELLED"})


def test_a_kill_cancels_and_the_next_run_begins_anew(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    trigger = defer(cluster, context, arguments=["--sleep", "60"])

    async def story() -> None:
        """The triggerer cancels again, and again, while the job is being cancelled."""
        killing = asyncio.create_task(twin(trigger).on_kill())
        for _ in range(3):
            await asyncio.sleep(0.05)
            killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        await asyncio.to_thread(wait_until, (Path(trigger.folder) / "finished.json").exists)

    asyncio.run(story())
    states = lambda: {e["state"] for j in cluster.queue.jobs() for e in j["elements"]}  # noqa: E731
    wait_until(lambda: states() == {"CANCELLED"})
    folder = Path(trigger.folder)
    assert json.loads((folder / "finished.json").read_text()) == {"outcome": "killed"}
    again = defer(cluster, context, arguments=["--sleep", "0"])
    assert again.folder == trigger.folder + ".2"


def manifest(cluster: Cluster) -> Path:
    folder = cluster.run.root / "dataset"
    (folder / "packed").mkdir(parents=True)
    files = [folder / "packed" / "it's a.h5", folder / "packed" / "b.h5"]
    for file in files:
        file.write_bytes(file.name.encode() * 1000)
    publish_manifest(folder / "manifest.json", "dataset", files)
    return folder


def sensor(cluster: Cluster, **options: Any) -> WorkspaceSensor:
    return WorkspaceSensor(
        task_id="see",
        site="cpu",
        run=cluster.handle(),
        manifests=["dataset/manifest.json"],
        **options,
    )


def test_the_sensor_sees_what_the_reader_sees(
    cluster: Cluster, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.describe(inline_wait_s=0)
    assert sensor(cluster, deferrable=False).poke(context) is False, "nothing is there yet"
    folder = manifest(cluster)
    assert sensor(cluster).execute(context) == {"files": 2, "size_bytes": 13000}
    shard = folder / "packed" / "b.h5"
    good = shard.read_bytes()
    shard.write_bytes(good[:-1])  # the manifest came first through a slow filesystem
    with pytest.raises(TaskDeferred) as deferred:
        sensor(cluster).execute(context)
    trigger = deferred.value.trigger
    trigger.interval_s = 0.2
    looks = list[Any]()
    look = WorkspaceTrigger._look

    async def counted(self: WorkspaceTrigger, poller: Any) -> Any:
        looks.append(await look(self, poller))
        return looks[-1]

    monkeypatch.setattr(WorkspaceTrigger, "_look", counted)

    async def story() -> dict[str, Any]:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(wait_until, lambda: len(looks) >= 3)
        shard.write_bytes(good[::-1])  # the right size, another content
        before = len(looks)
        await asyncio.to_thread(wait_until, lambda: len(looks) >= before + 3)
        assert not waiting.done()
        shard.write_bytes(good)
        return await asyncio.wait_for(waiting, PATIENCE_S)

    event = asyncio.run(story())
    assert sensor(cluster).execute_complete(context, event) == {"files": 2, "size_bytes": 13000}


def test_the_sensor_gives_up_with_the_reason(cluster: Cluster, context: dict[str, Any]) -> None:
    cluster.describe(inline_wait_s=0)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(cluster, timeout=1).execute(context)
    deferred.value.trigger.interval_s = 0.2
    event = asyncio.run(event_of(deferred.value.trigger))
    assert event["missing"]
    with pytest.raises(Exception, match=r"dataset/manifest\.json is not visible"):
        sensor(cluster).execute_complete(context, event)
