"""What a result cost: core-hours a record, a per cent of error, a coil that was answered."""

from hpc_jobs.contract.report import CampaignReport
from hpc_jobs.contract.run import RunHandle
from operators.hooks.mlflow import MlflowHook

ANSWERED = frozenset({"pass", "fail", "answered", "reservations"})
PRICES = {
    "core_hours_per_good_record": "core-hours a good record",
    "core_hours_per_percent_of_error": "core-hours a per cent of error",
    "core_hours_per_answered_coil": "core-hours an answered sheet",
}


def costs_of(report: CampaignReport) -> dict[str, float]:
    """Return core-hours by what they bought; what was not bought has no price.

    Per cent of error: those by which the test error is below the champion's, or where there was
    none, below that of always answering the mean.
    """
    if report.usage is None:
        return {}
    hours, gate = report.usage.core_hours, report.gate
    before = gate.champion_error if gate.champion_error is not None else gate.mean_baseline
    gained = 100 * (1 - gate.test_error / before) if before > 0 else 0.0
    coils = sum(one.verdict in ANSWERED for one in report.verdict.measurements.values())
    bought = {
        "core_hours_per_good_record": float(report.records_by_status.get("ok", 0)),
        "core_hours_per_percent_of_error": gained,
        "core_hours_per_answered_coil": float(coils),
    }
    return {name: hours / amount for name, amount in bought.items() if amount > 0}


def log_costs(run: RunHandle, costs: dict[str, float], mlflow: MlflowHook | None = None) -> None:
    """Write them into the campaign's run as cost/...; may be repeated."""
    from mlflow.entities import Metric

    metrics = [Metric(f"cost/{name}", value, 0, 0) for name, value in costs.items()]
    (mlflow or MlflowHook()).require().log_batch(run.mlflow_run_id, metrics=metrics)
