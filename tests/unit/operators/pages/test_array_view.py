"""An array read from a real login node: all elements' states, and one element whole."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.array.task_memory import job_token
from operators.pages.array_view import read_array, read_element
from operators.pages.elements_page import elements_document


@pytest.fixture
def handle(cluster) -> RunHandle:
    return RunHandle.model_validate(cluster.handle())


def token(context) -> str:
    ti = context["ti"]
    return job_token(ti.dag_id, ti.run_id, ti.task_id)


def test_before_the_submission_there_is_nothing(cluster, context, handle):
    with pytest.raises(FileNotFoundError):
        read_array(handle, token(context), 3)


def test_a_failed_array_names_causes_and_shows_the_output(cluster, context, handle):
    task = HpcArrayJobOperator(
        task_id="t", job="solve_shard", run=cluster.handle(tries_per_element=2), elements=3,
        arguments=["--fail", "1", "--mistake", "2"],
    )  # fmt: skip
    with pytest.raises(AirflowFailException):
        task.execute(context)
    view = read_array(handle, token(context), 3)
    page = elements_document(view)
    assert page["squares"] == ["d", "f", "f"]
    causes = {group["first"]: group["cause"] for group in page["failures"]}
    assert causes[2] == "ConfigurationError: training.networks: no such network"
    assert "element 1 was told to fail" in causes[1]
    one = read_element(handle, view, 1)
    assert (one["name"], one["state"], one["tries"]) == ("shard 1", "f", 2)
    assert "element 1 speaks" in one["log"] and "told to fail" in one["log"]
    assert one["node"] and one["job_id"] and one["wall_s"] is not None
    assert read_element(handle, view, 2)["tries"] == 1, "a mistake is not tried again"


def test_what_is_not_submitted_is_counted_as_held(cluster, context, handle):
    HpcArrayJobOperator(
        task_id="t", job="solve_shard", run=cluster.handle(), elements=2
    ).execute(context)  # fmt: skip
    assert read_array(handle, token(context), 5).states == b"ddhhh"
