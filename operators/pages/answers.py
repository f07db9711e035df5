"""How the plugin's pages answer: JSON with an ETag, and what Airflow keeps of a DAG run.

Imported by the API server only.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.xcom import XComModel
from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import select

STATIC = Path(__file__).parent / "static"
SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
RETURNED = "return_value"


def answer(document: Any, request: Request, age_s: float = 0.0) -> Response:
    """Return a document, or 304 where the browser has it already; says of when it is."""
    content = json.dumps(document)
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = SAFE | {"ETag": etag, "X-As-Of": f"{time.time() - age_s:.0f}"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def xcoms(session: SessionDep, dag_id: str, run_id: str, *keys: str) -> dict[str, dict[str, Any]]:
    """Read what the tasks of a DAG run left: key -> task -> value."""
    found = session.execute(
        select(XComModel.key, XComModel.task_id, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key.in_(keys)
        )
    )
    left: dict[str, dict[str, Any]] = {key: {} for key in keys}
    for key, task_id, value in found:
        left[key][task_id] = decoded(value)
    return left


def decoded(value: Any) -> Any:
    """Read an XCom as the database has it: JSON, JSON in a string, or a mere string."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
