"""What jobs took, by alpha's accounting; and a budget that holds."""

import time

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.integration.slurm.control_host import ControlHost


def test_usage_of_real_jobs(control: ControlHost) -> None:
    two_cores = {"overrides": {"cpus": 2}}
    task = control.operator(2, "--sleep-s", "2", "--fail", "1", **two_cores)
    usage = control.finish(task, control.context())["usage"]
    assert control.solved() == [0, 1]
    assert usage["tries"] == 3, "results alone would leave out the one that failed"
    assert usage["run_s"] >= 2 * 2 and usage["queue_wait_s"] >= 0
    assert usage["core_hours"] == pytest.approx(2 * usage["run_s"] / 3600, abs=1e-5)
    assert 0 <= usage["efficiency"] < 0.9, "sleeping uses no processor"


def test_a_budget_holds_on_a_real_cluster(control: ControlHost) -> None:
    ten_minutes = {"handle": {"budget_core_hours": 2 * 300 / 3600}}
    with pytest.raises(AirflowFailException, match=r"execution\.budget_core_hours"):
        control.operator(3, **ten_minutes).execute(control.context())
    time.sleep(1)
    assert control.queue() == []
    assert control.finish(control.operator(2, **ten_minutes), control.context())["done"] == 2
