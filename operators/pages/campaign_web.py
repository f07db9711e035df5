"""Serves the Campaign tab to those whom Airflow lets read the DAG run.

Imported by the API server only. Read-only; the data are Airflow's own, no cluster is asked.
"""

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import select

from operators.pages.answers import RETURNED, answer, xcoms
from operators.pages.campaign_page import campaign_document, mlflow_address
from operators.pages.tasks import Task
from operators.runs.closing import CAUSE
from operators.triggers.progress import LOSSES, PROGRESS

app = FastAPI(title="Campaigns", docs_url=None, redoc_url=None, openapi_url=None)


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
    tasks = tasks_of(session, dag_id, run_id)
    document = campaign_document(tasks, str(state), mlflow_address())
    return answer(document | {"state": str(state)}, request)


def tasks_of(session: SessionDep, dag_id: str, run_id: str) -> list[Task]:
    """Read the tasks of a DAG run with what they left, in the order in which they began."""
    left = xcoms(session, dag_id, run_id, RETURNED, PROGRESS, LOSSES, CAUSE)
    rows = session.execute(
        select(TaskInstance.task_id, TaskInstance.state, TaskInstance.duration)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.start_date)
    )
    return [
        Task(
            task_id,
            None if state is None else str(state),
            seconds,
            left[RETURNED].get(task_id),
            left[PROGRESS].get(task_id) or left[LOSSES].get(task_id),
            str(left[CAUSE].get(task_id) or ""),
        )
        for task_id, state, seconds in rows
    ]
