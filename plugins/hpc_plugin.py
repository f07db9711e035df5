"""What yieldloop adds to Airflow's web interface; the only AirflowPlugin."""

from importlib import import_module
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.standard.decorators.python import _PythonDecoratedOperator

from operators.array.operator import HpcArrayJobOperator
from operators.links import CAMPAIGN, CLUSTERS, ELEMENTS, LOGS, STATIC, JobLogLink, ReportLink
from operators.pages import run_note


class ArrayJobLogLink(JobLogLink):
    """The job log, on every array job."""

    operators: ClassVar[list[type[Any]]] = [HpcArrayJobOperator]


class PythonReportLink(ReportLink):
    """The report, on tasks that are Python functions and have made one."""

    operators: ClassVar[list[type[Any]]] = [_PythonDecoratedOperator]


def served(module: str) -> Any:
    """Pass requests on to a module's app; imported at the first, as every process loads plugins."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await import_module(module).app(scope, receive, send)

    return app


def tab(name: str, script: str, destination: str, route: str) -> dict[str, Any]:
    """Describe a tab; its name is that of the function which the script defines, too."""
    return {
        "name": name,
        "bundle_url": f"{STATIC.lstrip('/')}/{script}",
        "destination": destination,
        "url_route": route,
    }


class HpcPlugin(AirflowPlugin):
    """Links on tasks, the pages and tabs that show a campaign, the note of its DAG run."""

    name = "hpc"
    operator_extra_links: ClassVar[list[Any]] = [ArrayJobLogLink(), PythonReportLink()]
    listeners: ClassVar[list[Any]] = [run_note]
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": served("operators.pages.web"), "url_prefix": LOGS, "name": "Logs of jobs"},
        {"app": served("operators.pages.campaign_web"), "url_prefix": CAMPAIGN, "name": "Campaign"},
        {"app": served("operators.pages.elements_web"), "url_prefix": ELEMENTS, "name": "Elements"},
        {"app": served("operators.pages.clusters_web"), "url_prefix": CLUSTERS, "name": "Clusters"},
        {"app": served("operators.pages.static_web"), "url_prefix": STATIC, "name": "Scripts"},
    ]
    react_apps: ClassVar[list[Any]] = [
        tab("Campaign", "campaign.js", "dag_run", "campaign"),
        tab("Elements", "elements.js", "task_instance", "elements"),
        tab("HPC", "clusters.js", "nav", "hpc"),
    ]
