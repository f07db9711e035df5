"""The sequence that once made a worse network champion: trial run, night, retraining.

A trial with few records had a test set of its own, so that its error could not be compared, and as
the latest run it was what nights went on with. Here all of it is real but Airflow: records are
simulated, networks trained and compared, and MLflow's registry is moved by what the tasks call.
Last, the champion's workspace expires.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.gate import DecisionDocument
from hpc_jobs.contract.report import GateReport
from operators.promotion.origin import announced_run, take_turn_task
from operators.promotion.registry import champion
from operators.runs.rounds import first_round
from operators.runs.run import continue_run, finish_run
from tests.harness.control_bench import Bench
from tests.harness.nights import Nights, coil

FEW = {
    "design": {"train_records": 50, "test_records": 50},
    "training": {"epochs": 5, "validation_fraction": 0.4},
}
SURELY = 0.5
"""What a retraining on half as many records again would have to gain, and does not."""


@dataclass
class TaskInstance:
    """What a turn asks of Airflow: whether the DAG run that is at it still lives; none does."""

    dag_id: str
    run_id: str

    def get_dr_count(self, **_: Any) -> int:
        return 0


@dataclass
class Grown:
    """Airflow's event of a dataset that grew."""

    timestamp: datetime
    extra: dict[str, Any]


def solved(run: Nights, training: str) -> GateReport:
    """Do what hybrid_campaign does: simulate, train, validate, compare, decide, close."""
    run.night(first_round(run.handle, run.bench.connect))
    run.deliver(coil(run.campaign, 0))
    decided = run.retrained(training)
    finish_run(run.handle, mlflow=run.bench.mlflow)
    return decided


def gone_on_with(full: Nights, dag_id: str, chosen: str | None = None) -> str:
    """Take a turn as a DAG's first task does; returns the run that it names."""
    bench, ti = full.bench, TaskInstance(dag_id, "tonight")
    origin = take_turn_task(full.handle.campaign, chosen, ti, bench.connect, bench.mlflow)
    assert origin is not None
    if chosen is None:
        assert origin.why == "champion"
    return origin.run_id


def document(run: Nights, training: str) -> DecisionDocument:
    path = run.bench.mlflow.client.download_artifacts(
        run.handle.mlflow_run_id, f"gate/{training}.json"
    )
    return DecisionDocument.model_validate_json(Path(path).read_text())


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_trial_a_night_and_a_retraining_leave_the_first_champion_in_place(bench: Bench) -> None:
    full = Nights.opened(bench, gate={"require_validation": False, "coverage_shortfall": 0.5,
                                      "minimum_improvement": SURELY})  # fmt: skip
    assert solved(full, "first").promoted
    trial = full.another("trial-1", FEW)
    refused = solved(trial, "trial")
    assert not refused.promoted and "above the champion's" in refused.reason

    run_id = gone_on_with(full, "nightly_campaign")
    assert run_id == full.handle.run_id  # not the latest
    continue_run(full.handle, connect=bench.connect, mlflow=bench.mlflow)
    before = full.dataset.train
    assert full.night(full.plan()).grown and full.dataset.train > before

    grown = Grown(datetime.now(UTC), {"campaign": full.handle.campaign, "run_id": run_id})
    told = announced_run(full.handle.campaign, {"dataset": [grown]})
    assert gone_on_with(full, "retraining", told) == full.handle.run_id
    assert not full.retrained("anew").promoted
    _the_first_is_champion(full, trial)

    # Its run's folder expires: the network is MLflow's still, and stays
    shutil.rmtree(full.folder.root)
    assert not trial.retrained("again").promoted
    weighed = document(trial, "again").comparison
    assert weighed is not None and weighed.champion_expired and weighed.champion is not None
    assert weighed.champion.model == "first-mlp"


def _the_first_is_champion(full: Nights, trial: Nights) -> None:
    bench = full.bench
    best = champion(full.handle.campaign, bench.mlflow)
    assert best is not None
    assert (best.run_id, best.model) == (full.handle.run_id, "first-mlp")
    decided = [document(full, "first"), document(trial, "trial"), document(full, "anew")]
    asked = {one.comparison.sealed.sha256 for one in decided if one.comparison}
    assert len(asked) == 1  # all answered the first run's records
    assert [one.champion_before for one in decided] == [None, "1", "1"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that train take one core: others test beside."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
