"""What waiting costs the control host alone; a part of benchmarks.cluster_load."""

import json
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from hpc_jobs.contract.cluster import Cluster, DirectoryWorkspaces
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.job_folder.probes import Scan, parse_scan
from operators.array.report import array_report
from operators.array.task_memory import STATE_KEY, TaskMemory
from operators.cluster.job import ElementState, Status, Submission
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.reply import Reply
from operators.cluster.schedulers.slurm import Slurm
from operators.triggers.array_job import ArrayJobTrigger

ELEMENTS = 100_000


def fastest(work: Callable[[], Any]) -> float:
    """CPU seconds, the best of five."""
    spent = []
    for _ in range(5):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def on_the_control_host() -> dict[str, Any]:
    """Understand squeue and the folders, judge, and measure what that holds."""
    dialect, half = Slurm(), range(0, ELEMENTS, 2)
    text = "".join(f"{7 + i // 1000}|{i % 1000}|RUNNING|None|.\n" for i in range(ELEMENTS))
    reply = Reply(0, f"<\n{text}\n>\n", "")
    seen = Reply(0, "@\n" + "".join(f"d results/{i}.json\nl locks/{i}\n" for i in half) + ".\n", "")
    submissions = [
        Submission(n, (str(7 + n),), tuple(range(1000 * n, 1000 * n + 1000)))
        for n in range(ELEMENTS // 1000)
    ]
    ids = [job_id for submission in submissions for job_id in submission.job_ids]
    tracemalloc.start()
    ledger = Ledger(ELEMENTS, submissions, 60.0)
    [scan] = parse_scan(seen.stdout, 1)
    ledger.update(dialect.parse_status(reply, ids), scan, 0.0)
    ledger.update(Status({}), Scan(), 1.0)  # the worst to remember: nobody has heard of any of them
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    status = dialect.parse_status(reply, ids)
    return {
        "100,000 elements understood, s": fastest(lambda: dialect.parse_status(reply, ids)),
        "folders understood, s": fastest(lambda: parse_scan(seen.stdout, 1)),
        "judged, s": fastest(lambda: ledger.update(status, scan, 0.0)),
        "100,000 elements judged, MiB": peak,
        "process, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def kept_by_airflow(elements: int) -> dict[str, int]:
    """Bytes of trigger, event, task state and XCom for an array of so many elements."""
    site = Cluster(
        name="alpha",
        description="A cluster.",
        scheduler="slurm",
        workspaces=DirectoryWorkspaces(kind="directory", root="/ws"),
    )
    trigger = ArrayJobTrigger(
        site=site.model_dump(mode="json"),
        folder="/ws/run/jobs/token",
        elements=elements,
        job_ids=[["1234567"]],
        deadline=0.0,
    )
    failed = dict.fromkeys(range(max(20, elements // 200)), ElementState.FAILED)
    snapshot = Snapshot(elements, elements - len(failed), failed, 0, 0, 0)
    store: dict[str, Any] = {}
    context = {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=3),
        "task_state_store": SimpleNamespace(get=store.get, set=store.__setitem__),
    }
    job = SimpleNamespace(
        **{"plan": SimpleNamespace(token="token"), "job_ids": ["1234567"]},
        folder=SimpleNamespace(root="/ws/run/jobs/token"),
    )
    TaskMemory(context).remember(job, "alpha")  # type: ignore[arg-type]
    report = array_report(
        job="solve_shard",
        **{"token": "token", "job_ids": ["1234567"], "cpus": 1, "gpus": 0, "elements": elements},
        results=results(elements),
        failed={element: "FAILED" for element in failed},
    )
    event = trigger._event("settled", snapshot).payload
    parts = {"trigger": trigger.serialize()[1], "event": event, "task state": store[STATE_KEY]}
    return {
        name: len(json.dumps(part))
        for name, part in (parts | {"XCom": report.model_dump(mode="json")}).items()
    }


def results(elements: int) -> Iterable[ElementResult]:
    """Make up what so many elements wrote."""
    facts = {"records": 100, "by_status": {"ok": 99, "newton": 1}}
    for element in range(elements):
        yield ElementResult(
            **{"element": element, "outcome": "done", "job_id": f"1_{element}", "host": "node"},
            **{"started": 1.8e9, "wall_s": 9.0, "cpu_s": 9.0, "facts": facts},
        )
