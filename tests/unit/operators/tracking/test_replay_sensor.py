from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.tracking.spool import Spool
from operators.array.operator import HpcArrayJobOperator
from operators.array.task_memory import job_token
from operators.cluster.errors import NeedsLogin, TransportError
from operators.hooks.hpc import Session
from operators.tracking.replay_sensor import ReplaySensor, replay_everything

DAG, DAG_RUN = "hybrid_campaign", "manual__1"


class Following:
    """The sensor beside a training whose state, in Airflow, the test decides."""

    def __init__(self, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.state = bench, "running"
        self.away: Exception | None = None
        self.left: dict[str, Any] = {}
        self.run: RunHandle = bench.open()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", bench.mlflow.tracking_uri)
        handle = self.run.model_dump(mode="json")
        train = HpcArrayJobOperator(task_id="train", job="train", run=handle, site="gpu")
        self.sensor = ReplaySensor(task_id="follow", run=handle, of=train, connect=self.open)

    def open(self, cluster: str) -> Session:
        if self.away:
            raise self.away
        session: Session = self.bench.connect(cluster)
        return session

    def job(self, token: str | None = None) -> JobFolder[Path]:
        root = Path(self.run.sites["gpu"].workspace)
        return Workspace(root).run("demo-1").job(token or job_token(DAG, DAG_RUN, "train"))

    def spool(self, name: str, token: str | None = None) -> Spool:
        return Spool(self.job(token).spool / f"{name}.jsonl", name=name)

    def poke(self) -> Any:
        def states(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
            assert (dag_id, task_ids, run_ids) == (DAG, ["train"], [DAG_RUN])
            return {DAG_RUN: {"train": self.state}}

        ti = SimpleNamespace(
            dag_id=DAG,
            run_id=DAG_RUN,
            task_id="follow",
            get_task_states=states,
            xcom_push=self.left.__setitem__,
        )
        return self.sensor.poke({"ti": ti})

    def children(self) -> dict[str, Any]:
        client = self.bench.mlflow.client
        experiment = client.get_run(self.run.mlflow_run_id).info.experiment_id
        wanted = f"tags.`mlflow.parentRunId` = '{self.run.mlflow_run_id}'"
        return {run.info.run_name: run for run in client.search_runs([experiment], wanted)}


@pytest.fixture
def following(bench, monkeypatch: pytest.MonkeyPatch) -> Following:
    return Following(bench, monkeypatch)


def test_curves_appear_while_the_job_runs(following: Following):
    assert not following.poke()
    with following.spool("cnn") as cnn, following.spool("mlp") as mlp:
        cnn.metrics({"loss/validation": 1.0}, step=0)
        assert not following.poke()
        assert following.children()["cnn"].data.metrics == {"loss/validation": 1.0}
        assert following.left["losses"]["losses"] == {"cnn": 1.0}, "for the campaign's page"
        for spool in (cnn, mlp):
            spool.metrics({"loss/validation": 0.5}, step=1)
            spool.end("FINISHED")
    following.state = "success"
    done = following.poke()
    assert done and done.xcom_value["metrics"] == 2
    assert done.xcom_value["losses"] == {"cnn": 0.5, "mlp": 0.5}
    children = following.children()
    assert done.xcom_value["runs"] == {name: children[name].info.run_id for name in ("cnn", "mlp")}
    assert {run.info.status for run in children.values()} == {"FINISHED"}


def test_a_killed_training_is_closed_when_its_task_is_over(following: Following):
    following.spool("cnn").close()
    following.state = "up_for_retry"
    assert not following.poke()
    assert following.children()["cnn"].info.status == "RUNNING"
    following.state = "failed"
    assert following.poke()
    assert following.children()["cnn"].info.status == "KILLED"


def test_a_cleared_training_has_runs_of_its_own(following: Following):
    token = job_token(DAG, DAG_RUN, "train")
    for generation in (token, f"{token}.2"):
        with following.spool("cnn", generation) as spool:
            spool.metrics({"loss": 1.0}, step=0)
            spool.end("FINISHED")
        assert not following.poke()
    runs = following.bench.mlflow.client.search_runs(
        [following.children()["cnn"].info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{following.run.mlflow_run_id}'",
    )
    assert len(runs) == 2


@pytest.mark.parametrize("error", [TransportError("lost"), NeedsLogin("expired")])
def test_a_cluster_that_is_away_is_waited_for(following: Following, error: Exception) -> None:
    following.state, following.away = "success", error
    assert not following.poke()
    following.away = None
    assert following.poke()


def test_mlflow_being_away_is_waited_for(following: Following, monkeypatch: pytest.MonkeyPatch):
    following.state = "success"
    with following.spool("cnn") as spool:
        spool.metrics({"loss": 1.0}, step=0)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert not following.poke()
    assert following.poke().xcom_value["metrics"] == 1


def test_a_job_without_spools_needs_no_mlflow(
    following: Following, monkeypatch: pytest.MonkeyPatch
):
    following.state = "success"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert following.poke()


def test_housekeeping_replays_what_nobody_followed(following: Following):
    with following.spool("score", "score-1") as spool:
        spool.metrics({"gate/error": 0.1}, step=0)
        spool.end("FINISHED")
    following.spool("live", "live-1").close()
    following.spool("dead", "dead-1").close()
    following.job("dead-1").finished.write_text("{}")
    options = {"connect": following.bench.connect, "mlflow": following.bench.mlflow}
    counts = replay_everything(following.run, **options)
    assert counts == {"spools": 3, "metrics": 1, "open": 1}
    status = {name: run.info.status for name, run in following.children().items()}
    assert status == {"score": "FINISHED", "live": "RUNNING", "dead": "KILLED"}
    assert replay_everything(following.run, **options)["metrics"] == 0
