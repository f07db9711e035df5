"""Serves the Elements tab of a task to those whom Airflow lets read the task's log.

A request names a task, never a path. What is read over SSH is kept for some seconds, so that many
who look cost one look.
"""

from collections.abc import Callable
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.taskinstance import TaskInstance
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy import select

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.report import ArrayProgress, ArrayReport
from hpc_jobs.contract.run import RunHandle
from operators.array.task_memory import job_token
from operators.cluster.errors import ClusterError
from operators.pages.answers import RETURNED, answer, xcoms
from operators.pages.array_view import ArrayView, read_array, read_element
from operators.pages.cache import Cache
from operators.pages.elements_page import elements_document
from operators.pages.job_log import find_handle
from operators.triggers.progress import PROGRESS

KEEP_S = 10.0
OPERATOR = "HpcArrayJobOperator"
GUARDS = [
    Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
    Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS)),
    Depends(requires_access_dag("GET", DagAccessEntity.XCOM)),
]
NOT_YET = {"array": True, "elements": 0}

app = FastAPI(title="Elements", docs_url=None, redoc_url=None, openapi_url=None)
_arrays: Cache[ArrayView] = Cache(KEEP_S)
_elements: Cache[dict[str, Any]] = Cache(KEEP_S)


@app.get("/data", dependencies=GUARDS)
def data(
    dag_id: str,
    run_id: str,
    task_id: str,
    session: SessionDep,
    request: Request,
    map_index: int = -1,
    first: Annotated[int, Query(ge=0)] = 0,
    last: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Return the squares of an array's elements; {"array": False} for a task that is none."""
    found = _find(session, dag_id, run_id, task_id, map_index)
    if found is None:
        return answer({"array": False}, request)
    handle, token, elements, state = found
    try:
        view, age_s = _view(handle, token, elements)
    except FileNotFoundError:
        return answer(NOT_YET | {"state": state}, request)
    return answer(elements_document(view, first, last) | {"state": state}, request, age_s)


@app.get("/element", dependencies=GUARDS)
def element(
    dag_id: str,
    run_id: str,
    task_id: str,
    session: SessionDep,
    request: Request,
    element: Annotated[int, Query(ge=0)],
    map_index: int = -1,
) -> Response:
    """Return one element: what it works on, try, job, node, and the end of its output."""
    found = _find(session, dag_id, run_id, task_id, map_index)
    if found is None:
        raise HTTPException(404, "This task is no array job of a campaign.")
    handle, token, elements, _ = found
    try:
        view, _ = _view(handle, token, elements)
        if element >= len(view.states):
            raise HTTPException(404, f"The array has {len(view.states)} elements.")
        key = (handle.run_id, view.folder.root.name, element)
        read = _asked(lambda: read_element(handle, view, element))
        document, age_s = _elements.get(key, read)
    except FileNotFoundError:
        raise HTTPException(404, "The job has not been submitted (yet).") from None
    return answer(document, request, age_s)


def _find(
    session: SessionDep, dag_id: str, run_id: str, task_id: str, map_index: int
) -> tuple[RunHandle, str, int, str] | None:
    """Find the array of a task: its run, its token, how many elements, the task's state."""
    row = session.execute(
        select(TaskInstance.operator, TaskInstance.state).where(
            TaskInstance.dag_id == dag_id,
            TaskInstance.run_id == run_id,
            TaskInstance.task_id == task_id,
            TaskInstance.map_index == map_index,
        )
    ).first()
    if row is None:
        raise HTTPException(404, "There is no such task.")
    left = xcoms(session, dag_id, run_id, RETURNED, PROGRESS)
    handle = find_handle(list(left[RETURNED].values()))
    if row.operator != OPERATOR or handle is None:
        return None
    known = (left[RETURNED].get(task_id), left[PROGRESS].get(task_id))
    return handle, job_token(dag_id, run_id, task_id, map_index), _count(*known), str(row.state)


def _count(returned: Any, progress: Any) -> int:
    for model, value in ((ArrayReport, returned), (ArrayProgress, progress)):
        try:
            return int(model.model_validate(value).elements)
        except ValidationError:
            continue
    return 0


def _view(handle: RunHandle, token: str, elements: int) -> tuple[ArrayView, float]:
    read = _asked(lambda: read_array(handle, token, elements))
    return _arrays.get((handle.run_id, token), read)


def _asked(read: Callable[[], Any]) -> Callable[[], Any]:
    """Turn what a cluster may fail with into an answer that says so."""

    def asked() -> Any:
        try:
            return read()
        except (ClusterError, CorruptFile) as error:
            raise HTTPException(503, f"The cluster does not answer: {error}") from error

    return asked
