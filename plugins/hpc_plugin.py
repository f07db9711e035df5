"""What yieldloop adds to Airflow's web interface; the only AirflowPlugin."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from operators.array.operator import HpcArrayJobOperator
from operators.links import LOGS, JobLogLink


class ArrayJobLogLink(JobLogLink):
    """The job log, on every array job."""

    operators: ClassVar[list[type[Any]]] = [HpcArrayJobOperator]


async def job_logs(scope: Any, receive: Any, send: Any) -> None:
    """Pass requests on; imported at the first one, since every Airflow process loads plugins."""
    from operators.pages.web import app

    await app(scope, receive, send)


class HpcPlugin(AirflowPlugin):
    """Links on tasks, and the page that one of them opens."""

    name = "hpc"
    operator_extra_links: ClassVar[list[Any]] = [ArrayJobLogLink()]
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": job_logs, "url_prefix": LOGS, "name": "Logs of cluster jobs"}
    ]
