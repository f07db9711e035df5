"""The operator against a real login node and a real queue: what happens, happens once."""

import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from operators.array.operator import HpcArrayJobOperator
from operators.array.task_memory import job_token
from operators.cluster.job import Resources
from operators.cluster.submission import SubmissionRecord
from tests.unit.operators.conftest import Cluster


def operator(cluster: Cluster, **options: Any) -> HpcArrayJobOperator:
    handle = cluster.handle(**options.pop("handle", {}))
    defaults: dict[str, Any] = {"task_id": "solve_shard", "job": "solve_shard", "elements": 3}
    return HpcArrayJobOperator(run=handle, first_poll_s=0.1, **(defaults | options))


def ran(cluster: Cluster) -> list[str]:
    """Elements that worked, once for each time."""
    return sorted(path.name.split("-")[0] for path in (cluster.run.root / "ran").iterdir())


def test_an_array_runs_and_reports(cluster: Cluster, context: dict[str, Any]) -> None:
    report = operator(cluster, elements=6).execute(context)
    assert report["done"] == 6 and report["failed"] == 0
    assert report["facts"] == {"records": 60, "by_status": {"ok": 54, "newton": 6}}
    assert len(report["job_ids"]) == 2, "6 elements in arrays of at most 4"
    assert ran(cluster) == list("012345")
    assert report["wall_s"] > 0 and report["cpu_hours"] > 0 and report["gpu_hours"] == 0
    assert json.loads(json.dumps(report)) == report


def test_one_element_keeps_its_facts_and_ugly_values_arrive_whole(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    note = 'it\'s; "$(touch canary)" `touch canary`\n--x'
    report = operator(cluster, elements=1, arguments=["--note", note]).execute(context)
    assert report["facts"]["ugly"] == 'it\'s $(touch canary); "quoted" \nline'
    assert report["facts"]["argv"] == ["--note", note]
    assert f"/code/{'c' * 64}/hpc_jobs/" in report["facts"]["module"], "the shipped code ran"


def test_no_elements_need_no_job(cluster: Cluster, context: dict[str, Any]) -> None:
    report = operator(cluster, elements=0).execute(context)
    assert report["done"] == 0 and report["job_ids"] == []
    assert cluster.queue.jobs() == []


@pytest.mark.slow
def test_failed_and_vanished_elements_get_another_try(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    task = operator(cluster, arguments=["--fail-once", "1"])
    report = task.execute(context)
    assert report["done"] == 3 and report["failed"] == 0
    assert ran(cluster) == ["0", "1", "1", "2"], "only the failed one ran again"
    job = cluster.run.job(report["token"])
    assert json.loads((job.results / "1.json.try-1").read_text())["outcome"] == "failed"
    assert (job.locks / "1.try-1" / "owner.json").exists()
    assert job.elements(1).read_text() == "1\n"


@pytest.mark.slow
def test_what_hands_over_is_continued_more_often_than_it_may_fail(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    task = operator(cluster, elements=1, arguments=["--hand-over", "3"])
    report = task.execute(context)
    assert report["done"] == 1 and report["failed"] == 0
    assert ran(cluster) == ["0"] * 4
    job = cluster.run.job(report["token"])
    before = [json.loads((job.results / f"0.json.try-{n}").read_text()) for n in (1, 2, 3)]
    assert {result["outcome"] for result in before} == {"handed_over"}
    assert json.loads(job.result(0).read_text())["outcome"] == "done"


@pytest.mark.slow
def test_too_many_losses_fail_the_task_with_the_elements_words(
    cluster: Cluster, context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        AirflowFailException,
        match=r"^ValueError: element 1 was told to fail \(element 1\)\n1 of 3 elements ",
    ):
        operator(cluster, arguments=["--fail", "1"]).execute(context)
    assert ran(cluster) == ["0", "1", "1", "2"]


def test_what_was_configured_wrongly_is_tried_once_and_said_once(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    """Another try would say the same; the cause is the last line, once for all elements."""
    words = r"no such network \(elements 0-1\)\n2 of 3 elements "
    with pytest.raises(AirflowFailException, match=words) as raised:
        operator(cluster, arguments=["--mistake", "0,1"]).execute(context)
    assert str(raised.value).count("no such network") == 1
    assert ran(cluster) == ["0", "1", "2"]


def test_a_campaign_may_lose_some(cluster: Cluster, context: dict[str, Any]) -> None:
    task = operator(cluster, arguments=["--fail", "1"], handle={"allowed_loss": 0.4})
    report = task.execute(context)
    assert report["done"] == 2 and report["failures"] == {"1": "FAILED"}


def test_a_second_try_attaches_and_nothing_runs_twice(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    cluster.describe(inline_wait_s=0)
    with pytest.raises(TaskDeferred):  # the worker dies now; Airflow tries again
        operator(cluster, arguments=["--sleep", "1"]).execute(context)
    cluster.describe(inline_wait_s=30)
    report = operator(cluster, arguments=["--sleep", "1"]).execute(context)
    assert report["done"] == 3
    assert ran(cluster) == ["0", "1", "2"]
    assert len(cluster.queue.jobs()) == 1


def test_a_worker_that_dies_between_submit_and_record_leaves_no_duplicate(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    cluster.describe(inline_wait_s=0)
    with pytest.raises(TaskDeferred):
        operator(cluster).execute(context)
    ti = context["ti"]
    folder = cluster.run.job(job_token(ti.dag_id, ti.run_id, ti.task_id))
    record = json.loads(folder.submission(0).read_text())
    folder.submission(0).write_text(json.dumps(record | {"job_ids": []}))  # as if it had died
    cluster.describe(inline_wait_s=30)
    report = operator(cluster).execute(context)
    assert report["job_ids"] == record["job_ids"]
    assert len(cluster.queue.jobs()) == 1


def test_an_intent_without_a_job_id_finds_a_job_that_has_ended(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    report = operator(cluster).execute(context)
    folder = cluster.run.job(report["token"])
    folder.finished.unlink()
    record = json.loads(folder.submission(0).read_text())
    folder.submission(0).write_text(json.dumps(record | {"job_ids": []}))
    context["task_state_store"]["array_job"].pop("finished")
    again = operator(cluster).execute(context)
    assert again["job_ids"] == report["job_ids"], "batchq still knows the finished one"


@pytest.mark.slow
def test_an_intent_that_was_never_submitted_is_submitted(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    ti = context["ti"]
    folder = cluster.run.job(job_token(ti.dag_id, ti.run_id, ti.task_id))
    folder.root.mkdir(parents=True)
    record = SubmissionRecord(
        number=0, name="x.0-1", submitted=0.0, elements=(0, 1, 2), resources=Resources()
    )
    folder.submission(0).write_bytes(record.encode())  # then the worker died, before sbatch
    report = operator(cluster, arguments=["--note", "x"]).execute(context)
    assert report["done"] == 3 and ran(cluster) == ["0", "1", "2"]
    assert len(report["job_ids"]) == 1


def test_a_cleared_task_runs_again_and_an_unheard_success_does_not(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    first = operator(cluster).execute(context)
    unheard = operator(cluster).execute(context)  # same max_tries: the success was never recorded
    assert unheard == first and len(ran(cluster)) == 3
    context["ti"].max_tries += 4  # what Airflow does on "clear"
    second = operator(cluster).execute(context)
    assert second["token"] == first["token"] + ".2"
    assert second["done"] == 3 and len(ran(cluster)) == 6


@pytest.mark.slow
def test_a_stopped_login_node_is_waited_for(cluster: Cluster, context: dict[str, Any]) -> None:
    cluster.login.stop()
    threading.Timer(3.0, cluster.login.start).start()
    report = operator(cluster).execute(context)
    assert report["done"] == 3 and len(ran(cluster)) == 3


def test_a_refused_submission_fails_at_once_with_the_schedulers_words(
    cluster: Cluster, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = list[float]()
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=pauses.append)
    monkeypatch.setattr("operators.array.patience.time", clock)
    with pytest.raises(AirflowFailException, match=r"refused the job: .*1000"):
        operator(cluster, overrides={"cpus": 1000}).execute(context)
    assert pauses == [], "a refusal is not waited out"
    report = operator(cluster).execute(context)
    assert report["done"] == 3, "a task that is cleared after a refusal starts anew"


@pytest.mark.slow
def test_the_deferred_task_comes_back_and_finishes(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    cluster.describe(inline_wait_s=0)
    task = operator(cluster, arguments=["--vanish-once", "2"])
    report: dict[str, Any] | None = None
    method, kwargs = "execute", {}
    for _ in range(3):
        try:
            report = getattr(task, method)(context, **kwargs)
            break
        except TaskDeferred as deferred:
            method, kwargs = deferred.method_name, {"event": fire(deferred.trigger)}
    assert report is not None and report["done"] == 3
    assert ran(cluster) == ["0", "1", "2", "2"]


def fire(trigger: Any) -> Any:
    """What the triggerer does: rebuild the trigger from its serialised form, run it."""
    import asyncio

    from airflow.sdk.module_loading import import_string

    path, values = trigger.serialize()
    twin = import_string(path)(**json.loads(json.dumps(values)))

    async def first() -> Any:
        async for event in twin.run():
            return event.payload

    return asyncio.run(first())
