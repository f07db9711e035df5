"""The challenger is the best on the validation split, whatever the test set says."""

import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.records import Manifest
from operators.pages.campaign_report import campaign_report
from operators.promotion.challenger import choose_challenger
from operators.runs.run import folder_of

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
    assert chosen["model"] == "t1-multitask_cnn"
    assert chosen["networks"]["mlp"]["test_sum_mse"] == pytest.approx(0.3)
    assert chosen["networks"]["mlp"]["baselines"]["mean"]["sum"] == 2.0


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
    assert chosen["model"] == "t-mlp" and set(chosen["networks"]) == {"mlp", "single"}


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
    scored = {
        "facts": {
            "passed": False,
            "verdicts": {"dp780": "pass", "aa2090": "outside"},
            "quantities": {"dp780": {"r_value_0": [0.8, 0.776]}},
            "intervals": {"dp780": {"r_value_0": [0.75, 0.85]}},
            "notes": {"aa2090": "novelty over the limit"},
            "refined": {"dp780": {"verdict": "pass", "quantities": {}, "intervals": {}}},
        }
    }
    report = campaign_report(
        run,
        {"facts": {"by_status": {"ok": 9, "necked": 1}}},
        {"networks": {"mlp": {"test_sum_mse": 0.3}}},
        scored,
        {"promoted": True, "reason": "the first one"},
    )
    assert report["run_id"] == run.run_id
    assert report["records_by_status"] == {"ok": 9, "necked": 1}
    assert report["alloys"]["dp780"]["quantities"] == {"r_value_0": [0.8, 0.776]}
    assert report["alloys"]["dp780"]["intervals"] == {"r_value_0": [0.75, 0.85]}
    assert report["alloys"]["aa2090"] == {
        "verdict": "outside",
        "quantities": {},
        "intervals": {},
        "note": "novelty over the limit",
        "refined": None,
    }
    assert report["alloys"]["dp780"]["refined"]["verdict"] == "pass"
    assert report["gate"]["promoted"] is True
