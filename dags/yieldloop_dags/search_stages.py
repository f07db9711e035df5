"""The stages of a hyper-parameter search, made as those of the experiment are (stages.py)."""

from typing import Any

from airflow.sdk import task, task_group

from hpc_jobs.contract.report import ArrayReport, SearchPlan, SearchReport
from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.sensors.visible_files import WorkspaceSensor
from operators.tracking.replay_sensor import ReplaySensor
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models
from yieldloop_dags.stages.settings import REPLAY_S, STAMP

SEARCH = f"s{STAMP}"
"""Name of the search that a DAG run adds to its campaign's run; a retry finds the same."""


@task(multiple_outputs=True)
@takes_models
def open_search(run: RunHandle, name: str, params: dict[str, Any]) -> SearchPlan:
    """Freeze what is searched, as the campaign's file says it now; make the study's MLflow run."""
    from operators.runs.search import open_search_task
    from yieldloop_dags.forms import search_overrides

    return open_search_task(run, name, search_overrides(params))


@task_group
def search(planned: Any) -> Any:
    """Try networks on the AI cluster, many workers on one study; trials go to MLflow meanwhile."""
    planned = unwired(planned)
    visible = WorkspaceSensor(
        task_id="dataset_visible",
        site="gpu",
        run=planned["run"],
        manifests=["dataset/manifest.json"],
    )
    tried = HpcArrayJobOperator(
        task_id="try_networks",
        job="search",
        site="gpu",
        run=planned["run"],
        elements=planned["workers"],
        arguments=["--name", SEARCH],
    )
    followed = ReplaySensor(
        task_id="follow_trials", run=planned["study"], of=tried, poke_interval=REPLAY_S
    )
    planned >> visible >> [tried, followed]
    return tried.output


@task_group
def compare(planned: Any, tried: Any) -> Any:
    """Train the finalists and the present network over several seeds; test the means."""
    planned = unwired(planned)
    trained = HpcArrayJobOperator(
        task_id="train_finalists",
        job="train_finalist",
        site="gpu",
        run=planned["run"],
        elements=planned["trainings"],
        arguments=["--name", SEARCH],
    )
    chosen = HpcArrayJobOperator(
        task_id="choose_network",
        job="choose_network",
        site="gpu",
        run=planned["run"],
        arguments=["--name", SEARCH],
    )
    followed = ReplaySensor(
        task_id="follow_finalists", run=planned["study"], of=trained, poke_interval=REPLAY_S
    )
    tried >> [trained, followed]
    trained >> chosen
    return chosen.output


@task
@takes_models
def report_search(planned: SearchPlan, chosen: ArrayReport) -> SearchReport:
    """Put the choice on a page of the study's run in MLflow, with the YAML to paste."""
    from operators.pages.search_report import log_search_report

    return log_search_report(planned.study, planned.name)
