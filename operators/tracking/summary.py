"""The run of a campaign, or of a retraining, as a person finds it in MLflow: described, countable.

Its children are the trainings; what they came to stands at the run above them, too, so that a list
of runs can be sorted and filtered by it.
"""

from typing import TYPE_CHECKING

from hpc_jobs.contract.answers import order_of
from hpc_jobs.contract.report import CampaignReport
from hpc_jobs.contract.run import RunHandle
from operators.hooks.mlflow import MlflowHook

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"
DECISION, PROMOTED, REFUSED, NOT_CHOSEN = "decision", "promoted", "refused", "not chosen"
"""Tag of every training's run: what became of its model."""


def describe_result(
    run: RunHandle, report: CampaignReport, mlflow: MlflowHook | None = None
) -> None:
    """Write a result at its run: errors, verdict, decision, description. May be repeated."""
    from mlflow.entities import Metric, RunTag

    client = (mlflow or MlflowHook()).require()
    gate = report.gate
    metrics = {"sealed/sum_mse": gate.test_error, "sealed/mean_baseline": gate.mean_baseline}
    metrics |= {f"test_sum_mse/{name}": one.sum for name, one in report.networks.items()}
    tags = {
        DECISION: PROMOTED if gate.promoted else REFUSED,
        "model": gate.model,
        "registered_version": f"{gate.registered_model}/{gate.version}",
        "validation": "passed" if report.verdict.passed else "failed",
        NOTE: description(report),
    }
    tags |= {f"verdict.{name}": one.verdict for name, one in report.verdict.measurements.items()}
    client.log_batch(
        run.mlflow_run_id,
        metrics=[Metric(key, value, 0, 0) for key, value in metrics.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    _copy_dataset(client, run)
    _mark_trainings(client, run, gate.model, tags[DECISION])


def description(report: CampaignReport) -> str:
    """Say the result in Markdown: decision first, then each measurement."""
    gate = report.gate
    before = f"version {gate.champion_before}" if gate.champion_before else "none"
    lines = [
        f"**{'Promoted' if gate.promoted else 'Not promoted'}**: version {gate.version} of "
        f"`{gate.registered_model}`, the model `{gate.model}`: {gate.reason}.",
        f"Champion before: {before}.",
        "",
        "| measurement | verdict | quantity | identified | interval |",
        "|---|---|---|---|---|",
    ]
    for name, one in sorted(report.verdict.measurements.items()):
        for quantity in sorted(one.quantities, key=order_of):
            found, _ = one.quantities[quantity]
            low, high = one.intervals.get(quantity, (None, None))
            value = "not answered" if found is None else f"{found:.3f}"
            ends = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
            lines.append(f"| {name} | {one.verdict} | {quantity} | {value} | {ends} |")
    lines += ["", "The whole result is the artifact `report.html`."]
    return "\n".join(lines)


def _trainings(client: "MlflowClient", run: RunHandle) -> list[str]:
    parent = client.get_run(run.mlflow_run_id)
    found = client.search_runs(
        [parent.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{run.mlflow_run_id}' and tags.network != ''",
    )
    return [str(one.info.run_id) for one in found]


def _copy_dataset(client: "MlflowClient", run: RunHandle) -> None:
    """Say at the run above which dataset the model below learned from."""
    for one in (run.mlflow_run_id, *_trainings(client, run)):
        inputs = client.get_run(one).inputs
        if inputs and inputs.dataset_inputs:
            if one != run.mlflow_run_id:
                client.log_inputs(run.mlflow_run_id, inputs.dataset_inputs)
            return


def _mark_trainings(client: "MlflowClient", run: RunHandle, model: str, decision: str) -> None:
    for training in _trainings(client, run):
        name = client.get_run(training).info.run_name
        client.set_tag(training, DECISION, decision if name == model else NOT_CHOSEN)
