"""Serves the Campaign tab: its script, and its data to those whom Airflow lets read the DAG run.

Imported by the API server only. Read-only; the data are Airflow's own, no cluster is asked.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy import select

from operators.pages.campaign_page import Task, campaign_document, mlflow_address

SCRIPT = Path(__file__).parent / "static" / "campaign.js"
SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}

app = FastAPI(title="Campaigns", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/campaign.js")
def script() -> FileResponse:
    """Return the tab's script, which holds no data: the browser loads it before it asks for any."""
    return FileResponse(SCRIPT, media_type="text/javascript", headers=SAFE)


@app.get(
    "/data",
    dependencies=[
        Depends(requires_access_dag("GET", DagAccessEntity.RUN)),
        Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
        Depends(requires_access_dag("GET", DagAccessEntity.XCOM)),
    ],
)
def data(dag_id: str, run_id: str, session: SessionDep, request: Request) -> Response:
    """Return the tab's document, or 304 where the browser has it already."""
    where = DagRun.dag_id == dag_id, DagRun.run_id == run_id
    state = session.scalar(select(DagRun.state).where(*where))
    if state is None:
        raise HTTPException(404, "There is no such DAG run.")
    document = campaign_document(_tasks(session, dag_id, run_id), str(state), mlflow_address())
    document |= {"state": str(state)}
    content = json.dumps(document)
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = SAFE | {"ETag": etag, "X-As-Of": f"{time.time():.0f}"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _tasks(session: SessionDep, dag_id: str, run_id: str) -> list[Task]:
    found = session.execute(
        select(XComModel.task_id, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
        )
    )
    returned = {task_id: _read(value) for task_id, value in found}
    rows = session.execute(
        select(TaskInstance.task_id, TaskInstance.state, TaskInstance.duration)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.start_date)
    )
    return [
        Task(task_id, None if state is None else str(state), seconds, returned.get(task_id))
        for task_id, state, seconds in rows
    ]


def _read(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
