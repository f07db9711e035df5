"""The networks of a campaign by their names: loss while they train, then error on the test set."""

import re
from collections.abc import Sequence

from hpc_jobs.contract.report import CampaignReport, Challenger, ReplayReport
from operators.hooks.mlflow import run_page
from operators.pages.tasks import Task, first_of

FOLLOWERS = ("follow_training", "follow_assembly", "follow_finalists")
"""Last parts of the ids of tasks that follow trainings."""
_STAMP = re.compile(r"^t\d{8}-\d{6}-")


def networks_of(
    tasks: Sequence[Task],
    report: CampaignReport | None,
    challenger: Challenger | None,
    mlflow_url: str,
) -> list[dict[str, str]]:
    """List each network, best first: name, loss on validation, error on the test set, its curves.

    Losses are there while networks train; errors once all have; a link where MLflow is known.
    """
    trained, losses = dict[str, str](), dict[str, float]()
    for task in tasks:
        if task.task_id.rpartition(".")[2] not in FOLLOWERS:
            continue
        seen = first_of(ReplayReport, [task.returned]) or first_of(ReplayReport, [task.progress])
        if seen:
            trained |= {_name(spool): run for spool, run in seen.runs.items()}
            losses |= {_name(spool): loss for spool, loss in seen.losses.items()}
    found, experiment = report or challenger, report.mlflow_experiment_id if report else ""
    errors = {name: one.sum for name, one in found.networks.items()} if found else {}
    return [
        {
            "name": name,
            "loss": f"{losses[name]:.4g}" if name in losses else "",
            "error": f"{errors[name]:.4g}" if name in errors else "",
            "href": run_page(mlflow_url, trained[name], experiment)
            if name in trained and mlflow_url
            else "",
        }
        for name in sorted({*trained, *errors}, key=lambda name: (errors.get(name, 1e9), name))
    ]


def _name(spool: str) -> str:
    """Return a network's own name: a spool's begins with its training's."""
    return _STAMP.sub("", spool)
