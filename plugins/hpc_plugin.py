"""What yieldloop adds to Airflow's web interface; the only AirflowPlugin."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from operators.array.operator import HpcArrayJobOperator
from operators.links import CAMPAIGN, LOGS, JobLogLink


class ArrayJobLogLink(JobLogLink):
    """The job log, on every array job."""

    operators: ClassVar[list[type[Any]]] = [HpcArrayJobOperator]


async def job_logs(scope: Any, receive: Any, send: Any) -> None:
    """Pass requests on; imported at the first one, since every Airflow process loads plugins."""
    from operators.pages.web import app

    await app(scope, receive, send)


async def campaigns(scope: Any, receive: Any, send: Any) -> None:
    """Pass requests on; imported at the first one, as above."""
    from operators.pages.campaign_web import app

    await app(scope, receive, send)


class HpcPlugin(AirflowPlugin):
    """Links on tasks, the page that one of them opens, and the Campaign tab of a DAG run."""

    name = "hpc"
    operator_extra_links: ClassVar[list[Any]] = [ArrayJobLogLink()]
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": job_logs, "url_prefix": LOGS, "name": "Logs of cluster jobs"},
        {"app": campaigns, "url_prefix": CAMPAIGN, "name": "Campaigns"},
    ]
    react_apps: ClassVar[list[Any]] = [
        {
            "name": "Campaign",  # of the tab, and of the function that the script defines
            "bundle_url": f"{CAMPAIGN.lstrip('/')}/campaign.js",
            "destination": "dag_run",
            "url_route": "campaign",
        }
    ]
