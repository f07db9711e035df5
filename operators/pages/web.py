"""What the plugin serves: read-only pages, for those whom Airflow lets read the same.

Imported by the API server only (plugins/hpc_plugin.py); Airflow guards no plugin's pages, so every
route here names what it requires. A request names a task, never a path: the folder follows from the
task, and a file must be one of those that lie there.
"""

import json
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from operators.array.task_memory import job_token
from operators.cluster.errors import ClusterError
from operators.links import LOGS, log_page
from operators.pages.job_log import find_handle, read_log, render

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"

app = FastAPI(title="Job logs", docs_url=None, redoc_url=None, openapi_url=None)


@app.get(
    "/",
    response_class=HTMLResponse,
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS))],
)
def show(
    dag_id: str,
    run_id: str,
    task_id: str,
    session: SessionDep,
    map_index: int = -1,
    file: str | None = None,
) -> HTMLResponse:
    """Show the end of one element's output, the latest unless another is named."""
    handle = find_handle(_returned(session, dag_id, run_id))
    if handle is None:
        raise HTTPException(404, "This DAG run has not opened a campaign's run (yet).")
    token = job_token(dag_id, run_id, task_id, map_index)
    try:
        names, chosen, text = read_log(handle, token, file)
    except ClusterError as error:
        raise HTTPException(503, f"The cluster does not answer: {error}") from error
    except FileNotFoundError:
        raise HTTPException(404, "The job has not written anything (yet).") from None

    def link(name: str) -> str:
        return log_page(dag_id, run_id, task_id, map_index, name).removeprefix(f"{LOGS}/")

    page = render(f"{task_id}, {run_id}", [(name, link(name)) for name in names], chosen, text)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page, headers=headers)


def _returned(session: SessionDep, dag_id: str, run_id: str) -> list[Any]:
    query = select(XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
    )
    values = []
    for value in session.scalars(query):
        try:
            values.append(json.loads(value) if isinstance(value, str) else value)
        except ValueError:
            continue
    return values
