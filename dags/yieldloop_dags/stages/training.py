"""Networks on the AI cluster, committees of them, and the challenger."""

from typing import Any

from airflow.sdk import task, task_group

from hpc_jobs.contract.report import Challenger
from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.sensors.visible_files import WorkspaceSensor
from operators.tracking.replay_sensor import ReplaySensor
from yieldloop_dags.models import takes_models
from yieldloop_dags.stages.settings import REPLAY_S, TRAINING


@task_group
def train(run: Any, dataset: Any = None) -> Any:
    """Train every network on the AI cluster, once it sees the dataset; metrics go to MLflow.

    Returns the challenger, and what `train` returned.
    """
    visible = WorkspaceSensor(
        task_id="dataset_visible", site="gpu", run=run, manifests=["dataset/manifest.json"]
    )
    trained = HpcArrayJobOperator(
        task_id="train_networks",
        job="train",
        site="gpu",
        run=run,
        elements=run["networks"],
        arguments=["--name", TRAINING],
        work=run["epochs"],
        unit="epochs",
    )
    followed = ReplaySensor(task_id="follow_training", run=run, of=trained, poke_interval=REPLAY_S)
    (run if dataset is None else dataset) >> visible
    visible >> [trained, followed]
    return assemble(run, trained), trained.output


def assemble(run: Any, trained: Any) -> Any:
    """Make committees of members, where the campaign has any, and choose the challenger."""
    assembled = HpcArrayJobOperator(
        task_id="assemble_committees",
        job="assemble",
        site="gpu",
        run=run,
        elements=run["committees"],
        arguments=["--name", TRAINING],
    )
    followed = ReplaySensor(
        task_id="follow_assembly", run=run, of=assembled, poke_interval=REPLAY_S
    )
    challenger = choose_challenger(run, TRAINING)
    trained >> [assembled, followed]
    assembled >> challenger
    return challenger


@task(multiple_outputs=True)
@takes_models
def choose_challenger(run: RunHandle, training: str) -> Challenger:
    """Read every network's errors; the lowest on the validation split is the challenger."""
    from operators.promotion.candidates import choose_challenger

    return choose_challenger(run, training)
