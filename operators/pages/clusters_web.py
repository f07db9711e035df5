"""Serves the HPC page to those whom Airflow lets see the cluster's activity.

Of campaigns it names those alone whose DAGs the reader may read.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy import select

from hpc_jobs.contract.report import ArrayProgress
from hpc_jobs.contract.run import RunHandle
from operators.array.task_memory import job_token
from operators.pages.answers import RETURNED, answer, xcoms
from operators.pages.cache import Cache
from operators.pages.clusters_page import (
    ClusterLook,
    Memory,
    cluster_names,
    clusters_document,
    look,
)
from operators.pages.job_log import find_handle
from operators.triggers.progress import PROGRESS

KEEP_S = 30.0
LIVE_RUNS, CHECKS = 100, 100
UNDER_WAY = ("running", "deferred", "queued", "scheduled", "up_for_retry")
CHECK = "cluster_check"

app = FastAPI(title="HPC", docs_url=None, redoc_url=None, openapi_url=None)
_looks: Cache[ClusterLook] = Cache(KEEP_S)
_memory = Memory()


@app.get("/data", dependencies=[Depends(requires_access_view(AccessView.CLUSTER_ACTIVITY))])
def data(session: SessionDep, request: Request, user: GetUserDep) -> Response:
    """Return the page's document; clusters are looked at side by side, and seldom."""
    dags = get_auth_manager().get_authorized_dag_ids(user=user, session=session)
    campaigns, arrays = _under_way(session, dags)
    checks = _checks(session) if CHECK in dags else {}
    clusters = cluster_names()
    with ThreadPoolExecutor(max(1, len(clusters))) as pool:
        seen = dict(zip(clusters, pool.map(_seen, clusters), strict=True))
    return answer(clusters_document(seen, campaigns, arrays, checks), request)


def _seen(cluster: str) -> tuple[ClusterLook, ClusterLook]:
    last, _ = _looks.get(cluster, lambda: look(cluster))
    return last, _memory.keep(cluster, last)


def _under_way(session: SessionDep, dags: set[str]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Find the live DAG runs of campaigns, and their arrays with the progress they left."""
    campaigns: dict[str, str] = {}
    arrays: list[dict[str, Any]] = []
    live = session.execute(
        select(DagRun.dag_id, DagRun.run_id)
        .where(DagRun.dag_id.in_(dags), DagRun.state == "running")
        .order_by(DagRun.start_date.desc())
        .limit(LIVE_RUNS)
    ).all()
    for dag_id, run_id in live:
        left = xcoms(session, dag_id, run_id, RETURNED, PROGRESS)
        handle = find_handle(list(left[RETURNED].values()))
        if handle is None:
            continue
        for task_id, state in session.execute(
            select(TaskInstance.task_id, TaskInstance.state).where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                TaskInstance.operator == "HpcArrayJobOperator",
            )
        ):
            campaigns[job_token(dag_id, run_id, task_id)] = handle.run_id
            told = left[PROGRESS].get(task_id) if str(state) in UNDER_WAY else None
            if array := _array(handle, dag_id, run_id, task_id, told):
                arrays.append(array)
    return campaigns, arrays


def _array(
    handle: RunHandle, dag_id: str, run_id: str, task_id: str, left: Any
) -> dict[str, Any] | None:
    try:
        progress = ArrayProgress.model_validate(left)
    except ValidationError:
        return None
    return {
        "cluster": progress.cluster,
        "campaign": handle.run_id,
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "progress": progress.model_dump(mode="json"),
    }


def _checks(session: SessionDep) -> dict[str, dict[str, Any]]:
    """Find each cluster's last check."""
    found: dict[str, dict[str, Any]] = {}
    rows = session.execute(
        select(DagRun.run_id, DagRun.conf, DagRun.state, DagRun.end_date)
        .where(DagRun.dag_id == CHECK)
        .order_by(DagRun.run_after.desc())
        .limit(CHECKS)
    )
    for run_id, conf, state, end in rows:
        cluster = str((conf or {}).get("cluster") or cluster_names()[0])
        ended = None if end is None else round(end.timestamp())
        found.setdefault(cluster, {"run_id": run_id, "state": str(state), "ended": ended})
    return found
