"""Links on a task's page: the run in MLflow, and what the cluster job wrote."""

from typing import Any
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from hpc_jobs.contract.run import RunHandle

CAMPAIGN = "/hpc/campaign"
"""Where the plugin serves the Campaign tab, below Airflow's own address."""
ELEMENTS = "/hpc/elements"
"""Where the plugin serves the Elements tab."""
CLUSTERS = "/hpc/clusters"
"""Where the plugin serves the HPC page."""
LOGS = "/hpc/logs"
"""Where the plugin serves the output of cluster jobs, below Airflow's own address."""


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
