from datetime import UTC, datetime
from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.errors import ConfigurationError, CorruptFile
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.run import RunHandle
from operators.hooks.mlflow import MlflowHook, TrackingUnavailable
from operators.runs.campaign_file import name_run
from operators.runs.code import current_code
from operators.runs.run import (
    completed_runs,
    continue_run,
    find_handle,
    finish_run,
    mistakes_are_final,
)

AT = datetime(2026, 11, 20, 17, 14, 45, tzinfo=UTC)


def folder(run: RunHandle) -> RunFolder[Path]:
    return Workspace(Path(run.sites["cpu"].workspace)).run(run.run_id)


def test_everything_is_in_place(bench):
    run = bench.open(overrides={"design": {"seed": 7}}, tags={"dag_run_id": "manual__1"})
    assert RunHandle.model_validate(run.model_dump(mode="json")) == run
    here = folder(run)
    frozen = read_model(FrozenCampaign, here.campaign)
    assert frozen.campaign.design.seed == 7 and frozen.run_id == "demo-1"
    assert frozen.code_sha256 == run.code_sha256 == current_code().sha256
    code = Workspace(Path(run.sites["cpu"].workspace)).code(run.code_sha256)
    assert (code / "hpc_jobs/runtime/element.py").is_file()
    assert here.measurement("dp780").read_bytes() == b"dp780" * 100
    assert run.sites["gpu"].workspace == run.sites["cpu"].workspace
    parent = bench.mlflow.client.get_run(run.mlflow_run_id)
    assert parent.info.run_name == "demo-1" and parent.info.status == "RUNNING"
    assert parent.data.tags["code.sha256"] == run.code_sha256
    assert parent.data.tags["dag_run_id"] == "manual__1"
    assert parent.data.tags["campaign.fingerprint"] == frozen.campaign.fingerprint
    assert parent.data.params["design.seed"] == "7"
    files = bench.mlflow.client.list_artifacts(run.mlflow_run_id, "campaign")
    assert {file.path for file in files} == {"campaign/campaign.json", "campaign/demo.yaml"}


def test_opening_again_attaches(bench):
    first = bench.open()
    finish_run(first, mlflow=bench.mlflow)
    assert bench.open() == first
    assert bench.mlflow.client.get_run(first.mlflow_run_id).info.status == "RUNNING"


def test_another_campaign_under_the_same_id_is_refused(bench):
    run = bench.open()
    with pytest.raises(ConfigurationError, match=r"design\.seed changed"):
        bench.open(overrides={"design": {"seed": 7}})
    assert read_model(FrozenCampaign, folder(run).campaign).campaign.design.seed == 2026


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"design": {"train_recods": 5}}, "train_recods"),
        ({"execution": {"resources": {"train": {"walltime_s": -1}}}}, "walltime_s is -1"),
        ({"execution": {"gpu_cluster": "vulcano"}}, r"vulcano\.yaml: no such file"),
        (
            {"execution": {"resources": {"train": {"gpus": 1}}}},
            "of train on cluster 'ai': gpus is 1, which batchq cannot express; .*another cluster",
        ),
        (
            {"solver": "os.path:join"},
            r"solver is 'os\.path:join' by the trigger's overrides, but only the campaign's file",
        ),
        ({"validation": {"measurements": ["unheard"]}}, "there are: aa2090, aa6022, dc04"),
    ],
)
def test_a_mistake_is_said_before_anything_happens(bench, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        bench.open(overrides=overrides)
    assert bench.connected == [] and list(bench.home.iterdir()) == []


def test_the_campaigns_file_may_name_code(bench):
    bench.edit("campaigns/demo.yaml", lambda file: file.update(solver="their.package:SOLVER"))
    run = bench.open(overrides={"design": {"seed": 7}, "solver": "their.package:SOLVER"})
    frozen = read_model(FrozenCampaign, folder(run).campaign)
    assert frozen.campaign.solver == "their.package:SOLVER"
    with pytest.raises(ConfigurationError, match=r"other\.package:SOLVER.*only the campaign's"):
        bench.open(overrides={"solver": "other.package:SOLVER"})


def test_a_cluster_file_with_a_mistake_is_named(bench):
    bench.edit("clusters/ai.yaml", lambda file: file.update(scheduler="lsf"))
    with pytest.raises(ConfigurationError, match=r"gpu_cluster is 'ai': ai\.yaml: scheduler"):
        bench.open()
    assert bench.connected == []


def test_clusters_that_share_nothing_are_refused(bench):
    elsewhere = {"kind": "directory", "root": "elsewhere"}
    bench.edit("clusters/ai.yaml", lambda file: file.update(workspaces=elsewhere))
    with pytest.raises(ConfigurationError, match="share a filesystem"):
        bench.open()


def test_without_mlflow_nothing_is_opened(bench):
    bench.mlflow = MlflowHook("http://127.0.0.1:9")
    with pytest.raises(TrackingUnavailable, match=r"127\.0\.0\.1:9"):
        bench.open()
    assert bench.connected == []


def test_a_run_goes_on_with_its_own_campaign_and_new_measurements(bench):
    run = bench.open()
    finish_run(run, mlflow=bench.mlflow)
    bench.edit("campaigns/demo.yaml", lambda file: file["design"].update(seed=1))
    (bench.dags / "measurements/dp780.h5").write_bytes(b"measured again")
    again = continue_run(run.model_dump(mode="json"), connect=bench.connect, mlflow=bench.mlflow)
    assert again == run
    assert folder(run).measurement("dp780").read_bytes() == b"measured again"
    assert read_model(FrozenCampaign, folder(run).campaign).campaign.design.seed == 2026


def test_a_run_whose_folder_is_gone_says_so(bench):
    run = bench.open()
    folder(run).campaign.unlink()
    with pytest.raises(CorruptFile, match="expired"):
        continue_run(run, connect=bench.connect, mlflow=bench.mlflow)


def test_runs_are_found_by_id_and_the_complete_ones_listed(bench):
    assert completed_runs("demo", bench.mlflow) == []
    first, second, third = (bench.open(f"demo-{number}") for number in range(3))
    assert find_handle("demo-1", "demo", bench.mlflow) == second
    assert find_handle("demo-9", "demo", bench.mlflow) is None
    finish_run(first, mlflow=bench.mlflow)
    finish_run(second, mlflow=bench.mlflow)
    finish_run(third, ok=False, mlflow=bench.mlflow)
    assert [run for run, _ in completed_runs("demo", bench.mlflow)] == [second, first]


def test_a_run_is_named_after_its_dag_run():
    name = name_run("demo", "hybrid_campaign", "manual__2026-11-20T17:14:45+00:00", AT)
    assert name.startswith("demo-20261120-171445-")
    assert name == name_run("demo", "hybrid_campaign", "manual__2026-11-20T17:14:45+00:00", AT)
    assert name != name_run("demo", "nightly", "manual__2026-11-20T17:14:45+00:00", AT)
    longest = name_run("c" * 48, "d", "r", AT)
    assert len(longest) <= 48


def test_a_mistake_fails_the_task_at_once():
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="angle 400"), mistakes_are_final():
        raise ConfigurationError("angle 400")
