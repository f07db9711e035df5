"""The challenger is the best on the validation split, whatever the test set says."""

import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.facts import PackedFacts
from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import CampaignReport, Challenger
from operators.pages.campaign_report import campaign_report
from operators.promotion.candidates import choose_challenger
from operators.runs.run import folder_of
from tests.harness.reports import GATE, MLP, SCORE, VERDICT, array_report

SHA = "a" * 64


def facts(network: str, validation: float, test: float) -> ModelFacts:
    return ModelFacts(
        network=network,
        targets=("MP1", "MP2"),
        strain_values=1080,
        dataset_sha256=SHA,
        test_set_sha256=SHA,
        validation_errors={"MP1": validation, "MP2": validation},
        test_errors={"MP1": test, "MP2": 2 * test},
        baselines={"mean": {"MP1": 1.0, "MP2": 1.0}},
    )


@pytest.fixture
def run(bench):
    return bench.open()


def publish(bench, run, name: str, model: ModelFacts) -> None:
    manifest = Manifest(kind="model", files=(), facts=model.model_dump(mode="json"))
    folder = folder_of(run.run_id, run.sites["gpu"]).model(name)
    with bench.connect("ai") as hook:
        hook.write(str(folder / "manifest.json"), manifest.model_dump_json().encode())


def test_the_validation_split_decides(bench, run):
    publish(bench, run, "t1-multitask_cnn", facts("multitask_cnn", validation=0.1, test=0.9))
    publish(bench, run, "t1-mlp", facts("mlp", validation=0.2, test=0.1))
    chosen = choose_challenger(run, "t1", bench.connect)
    assert chosen.model == "t1-multitask_cnn"
    assert chosen.networks["mlp"].sum == pytest.approx(0.3)
    assert chosen.networks["mlp"].baselines["mean"].sum == 2.0


def test_a_committee_stands_for_its_members(bench):
    networks = [{"kind": "mlp", "members": 3}, {"kind": "mlp", "name": "single"}]
    run = bench.open(run_id="committee-1", overrides={"training": {"networks": networks}})
    assert (run.networks, run.committees) == (4, 1)
    for number in range(3):
        publish(bench, run, f"t-mlp-{number}", facts(f"mlp-{number}", 0.05, 0.05))
    publish(bench, run, "t-single", facts("single", 0.2, 0.2))
    with pytest.raises(CorruptFile, match=r"t-mlp/manifest\.json: missing"):
        choose_challenger(run, "t", bench.connect)
    publish(bench, run, "t-mlp", facts("mlp", 0.1, 0.1))
    chosen = choose_challenger(run, "t", bench.connect)
    assert chosen.model == "t-mlp" and set(chosen.networks) == {"mlp", "single"}


def test_a_network_without_manifest_is_named(bench, run):
    publish(bench, run, "t2-mlp", facts("mlp", 0.2, 0.1))
    with pytest.raises(CorruptFile, match=r"t2-multitask_cnn.*missing"):
        choose_challenger(run, "t2", bench.connect)


def test_a_foreign_manifest_is_named(bench, run):
    publish(bench, run, "t3-mlp", facts("mlp", 0.2, 0.1))
    folder = folder_of(run.run_id, run.sites["gpu"]).model("t3-multitask_cnn")
    with bench.connect("ai") as hook:
        hook.write(str(folder / "manifest.json"), b'{"kind": "model", "files": []}')
    with pytest.raises(CorruptFile, match=r"t3-multitask_cnn.*not a model"):
        choose_challenger(run, "t3", bench.connect)


def test_the_report_holds_what_the_terminal_prints(run):
    packed = PackedFacts(
        generation=1, train=100, test=10, by_status={"ok": 9}, missing_shards=0, sha256=SHA
    )
    report = campaign_report(
        run,
        array_report("publish_dataset", packed),
        Challenger(model="t1-mlp", networks={"mlp": MLP}),
        array_report("score", SCORE),
        GATE,
        array_report("solve_shard"),
        array_report("train"),
    )
    assert report.run_id == run.run_id and report.records_by_status == {"ok": 9}
    assert report.verdict == VERDICT and report.gate == GATE
    assert report.networks == {"mlp": MLP}
    assert report.speedup is not None and report.speedup.records == 100
    assert report.speedup.record_s == pytest.approx(36.0)  # 1 core-hour
    assert CampaignReport.model_validate_json(report.model_dump_json()) == report
    with pytest.raises(CorruptFile, match=r"publish_dataset .*generation: Field required; clear"):
        campaign_report(
            run,
            array_report("publish_dataset"),
            Challenger(model="t1-mlp", networks={"mlp": MLP}),
            *(array_report("score", SCORE), GATE, array_report("solve_shard")),
            array_report("train"),
        )
