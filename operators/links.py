"""Links on a task's page: the run in MLflow, and what the cluster job wrote."""

from typing import Any
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from hpc_jobs.contract.run import RunHandle

CAMPAIGN = "/hpc/campaign"
"""Where the plugin serves what the Campaign tab shows, below Airflow's own address."""
STATIC = "/hpc/static"
"""Where it serves the scripts of the tabs."""
ELEMENTS = "/hpc/elements"
"""Where it serves what the Elements tab of a task shows."""
CLUSTERS = "/hpc/clusters"
"""Where it serves what the HPC page shows."""
LOGS = "/hpc/logs"
"""Where the plugin serves the output of cluster jobs, below Airflow's own address."""


REPORT = "report_address"
"""Key of the XCom in which a task leaves where its report is."""


class MlflowRunLink(BaseOperatorLink):
    """The campaign's run in MLflow, for operators that have a `run`.

    Defined on the operator: the worker, which knows the rendered handle, leaves the address as an
    XCom whenever it lets go of the task, so that it shows while the task is deferred, too.
    """

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Address of the run's page; empty where there is no run or no MLflow."""
        from operators.hooks.mlflow import MlflowHook, TrackingUnavailable

        try:
            handle = RunHandle.model_validate(operator.run)
            return MlflowHook().link(handle.mlflow_run_id)
        except (TrackingUnavailable, ValueError):
            return ""


class JobLogLink(BaseOperatorLink):
    """The output of a task's cluster job, read over SSH when it is opened.

    Registered by the plugin: the API server makes the address from the task's name alone, from
    the first moment on.
    """

    name = "Job log"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Address of the plugin's page."""
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        index = -1 if ti_key.map_index is None else ti_key.map_index
        return f"{base}{log_page(ti_key.dag_id, ti_key.run_id, ti_key.task_id, index)}"


def log_page(
    dag_id: str, run_id: str, task_id: str, map_index: int = -1, file: str | None = None
) -> str:
    """Path and query of a log page; in the query, since a run's id may hold anything."""
    query = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"{LOGS}/?{urlencode(query | ({'file': file} if file else {}))}"


class ReportLink(BaseOperatorLink):
    """The report in MLflow, on tasks that have made one, and on no other.

    Registered by the plugin for tasks that are Python functions; such a task leaves the address
    as an XCom (`leave_report`).
    """

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Address of the page; empty where there is none."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            value = session.scalar(
                select(XComModel.value).where(
                    XComModel.key == REPORT,
                    XComModel.dag_id == ti_key.dag_id,
                    XComModel.run_id == ti_key.run_id,
                    XComModel.task_id == ti_key.task_id,
                )
            )
        text = "" if value is None else str(value).strip('"')
        return text if text.startswith(("http://", "https://")) else ""
