"""A result at its run in MLflow: decided, described, and nothing of before written over."""

from typing import Any

from operators.runs.run import finish_run, own_run
from operators.tracking.summary import describe_result, description
from tests.harness.reports import REPORT


def child(client: Any, parent: str, name: str) -> str:
    experiment = client.get_run(parent).info.experiment_id
    tags = {"mlflow.parentRunId": parent, "network": "mlp"}
    return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)


def test_a_run_and_its_trainings_say_what_was_decided(bench):
    run, client = bench.open(), bench.mlflow.client
    chosen, other = (
        child(client, run.mlflow_run_id, "t1-mlp"),
        child(client, run.mlflow_run_id, "x"),
    )
    describe_result(run, REPORT, bench.mlflow)
    data = client.get_run(run.mlflow_run_id).data
    assert data.tags["decision"] == "refused" and data.tags["verdict.dp780"] == "pass"
    assert data.metrics["sealed/sum_mse"] == REPORT.gate.test_error
    assert data.metrics["test_sum_mse/multitask_cnn"] == REPORT.networks["multitask_cnn"].sum
    assert "dp780 | pass" in data.tags["mlflow.note.content"]
    assert client.get_run(chosen).data.tags["decision"] == "refused"
    assert client.get_run(other).data.tags["decision"] == "not chosen"


def test_what_was_not_answered_is_no_number():
    assert "| aa2090 | outside | r_value_0 | not answered |" in description(REPORT)


def test_the_experiment_is_one_of_models(bench):
    run, client = bench.open(), bench.mlflow.client
    experiment = client.get_run(run.mlflow_run_id).info.experiment_id
    kind = client.get_experiment(experiment).tags["mlflow.experimentKind"]
    assert kind == "custom_model_development"


def test_a_retraining_has_a_run_of_its_own_and_writes_over_nothing(bench):
    run, client = bench.open(), bench.mlflow.client
    describe_result(run, REPORT, bench.mlflow)
    before = client.get_run(run.mlflow_run_id).data
    own = own_run(run, "retraining-t2", bench.mlflow)
    assert own_run(run, "retraining-t2", bench.mlflow) == own, "a retry finds the same"
    promoted = REPORT.gate.model_copy(update={"promoted": True, "test_error": 0.5})
    describe_result(own, REPORT.model_copy(update={"gate": promoted}), bench.mlflow)
    finish_run(own, mlflow=bench.mlflow)
    after = client.get_run(run.mlflow_run_id).data
    assert (after.metrics, after.tags) == (before.metrics, before.tags)
    added = client.get_run(own.mlflow_run_id)
    assert added.data.tags["decision"] == "promoted"
    assert added.data.tags["mlflow.parentRunId"] == run.mlflow_run_id
