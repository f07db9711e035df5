"""The job from dataset to published model, as the cluster runs it."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.model import model_facts
from hpc_jobs.contract.records import ElementResult, publish_model, read_manifest, read_model
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.models.trained_model import load_model
from tests.harness.metric_units import unit_of
from tests.harness.waiting import PATIENCE_S, wait_until
from tests.unit.learning.records import solve


def job(run, name, *options, index=0, **environment):
    command = [sys.executable, "-W", "error", "-m", f"hpc_jobs.jobs.{name}"]
    return subprocess.run(
        [*command, str(run.root), *options],
        env=os.environ | {"TASK_INDEX": str(index), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=550,
    )


@pytest.mark.parametrize(("index", "network"), [(0, "multitask_cnn"), (1, "mlp")])
def test_both_jobs_end_to_end(run, campaign, index, network):
    if index:  # by arrays, as large rounds are packed
        for name in ("deal_records", "pack_records"):
            done = job(run, name, "--elements", "1", HPC_TOKEN=name)
            assert done.returncode == 0, done.stdout + done.stderr
            assert read_model(ElementResult, run.job(name).result(0)).facts["records"] >= 268
    done = job(run, "publish_dataset", HPC_TOKEN="pack")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = read_model(ElementResult, run.job("pack").result(0)).facts
    assert (facts["generation"], facts["by_status"]) == (1, {"newton": 12, "ok": 268})

    done = job(run, "train", "--name", "first", index=index, HPC_TOKEN="t", HPC_JOB_ID="7")
    assert done.returncode == 0, done.stdout + done.stderr
    result = read_model(ElementResult, run.job("t").result(index)).facts
    assert result["model"] == f"first-{network}"
    assert set(result["baselines"]) == {
        "mean", "pca_ridge", "pca_ridge_quadratic", "surrogate",
    }  # fmt: skip
    assert result["test_sum_mse"] == pytest.approx(sum(result["test_mse"].values()))

    folder = run.model(f"first-{network}")
    manifest = read_manifest(folder / "manifest.json", "model")
    assert model_facts(manifest).test_errors == pytest.approx(result["test_mse"])
    assert model_facts(manifest).validation_error == pytest.approx(result["validation_loss"])
    assert {entry.path for entry in manifest.files} == {
        *("weights.pt", "model.json", "metrics.json", "input_example.json", "worst_cases.csv"),
        *("figures/loss.png", "figures/errors.png", "figures/parity.png", "figures/coverage.png"),
        "figures/history.json",
    }
    assert not (folder / "checkpoints").exists()

    lines = [
        json.loads(line)
        for line in (run.job("t").spool / f"first-{network}.jsonl").read_text().splitlines()
    ]
    assert lines[0]["kind"] == "run" and lines[0]["name"] == f"first-{network}"
    assert lines[-1] == {"kind": "end", "status": "FINISHED"}
    metrics = {(line["key"], line["step"]) for line in lines if line["kind"] == "metric"}
    assert all(unit_of(key) for key, _ in metrics), "of each name there is one unit"
    for key in ("loss/train", "loss/validation", "val_mp1/mse", "val_mp8/mse"):
        assert {step for name, step in metrics if name == key} == set(range(1, 7))
    for line in lines:
        if line["kind"] == "artifact":
            assert (run.root / line["path"]).is_file()

    model = load_model(folder)
    truth = np.full((1, 8), 1.02)
    answer = model.predict(solve(truth, campaign.specimens.strain_values))
    assert answer.shape == (1, 8) and np.abs(answer - 1).max() < 0.3


def test_a_network_that_the_campaign_does_not_have(run, campaign):
    publish_dataset(run, campaign)
    done = job(run, "train", "--name", "first", index=2, HPC_TOKEN="t")
    assert done.returncode == 1
    result = read_model(ElementResult, run.job("t").result(2))
    assert result.outcome == "failed" and "choose 0 to 1" in result.message


def curve(spool, key="loss/validation"):
    lines = map(json.loads, spool.read_text().splitlines())
    found = {line["step"]: line["value"] for line in lines if line.get("key") == key}
    return [found[step] for step in sorted(found)]


def test_two_ranks_of_torchrun_train_as_one_and_report_once(run, campaign):
    publish_dataset(run, campaign)
    alone = job(run, "train", "--name", "one", index=1, HPC_TOKEN="one")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    together = subprocess.run(
        [*torchrun, "-m", "hpc_jobs.jobs.train", str(run.root), "--name", "two"],
        env=os.environ | {"TASK_INDEX": "1", "OMP_NUM_THREADS": "1", "HPC_TOKEN": "two"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert together.returncode == 0, together.stdout + together.stderr
    assert read_model(ElementResult, run.job("two").result(1)).outcome == "done"
    assert load_model(run.model("two-mlp")).name == "two-mlp"
    one, two = (run.job(name).spool / f"{name}-mlp.jsonl" for name in ("one", "two"))
    assert len(curve(one)) == 6
    assert curve(two) == pytest.approx(curve(one), rel=1e-4)
    assert curve(two, "loss/train") == pytest.approx(curve(one, "loss/train"), rel=1e-4)
    assert two.read_text().count('"kind": "run"') == 1
    assert {0 <= wait <= 1 for wait in curve(two, "speed/input_wait_share")} == {True}


def test_a_terminated_training_leaves_a_checkpoint_and_resumes_from_it(run, campaign):
    """Long enough that the signal finds it at work."""
    publish_dataset(run, campaign)
    frozen = read_model(FrozenCampaign, run.campaign)
    training = campaign.training.model_copy(update={"epochs": 400})
    longer = campaign.model_copy(update={"training": training})
    publish_model(run.campaign, frozen.model_copy(update={"campaign": longer}))
    command = [sys.executable, "-m", "hpc_jobs.jobs.train", str(run.root), "--name", "t"]
    environment = os.environ | {"TASK_INDEX": "1", "HPC_TOKEN": "t", "OMP_NUM_THREADS": "1"}
    spool = run.job("t").spool / "t-mlp.jsonl"
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_until(
            lambda: (
                process.poll() is not None or (spool.exists() and "loss/train" in spool.read_text())
            ),
            what="the training has begun",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 75
    result = read_model(ElementResult, run.job("t").result(1))
    assert result.outcome == "handed_over" and "run again to resume" in result.message
    assert run.job("t").handed_over(1).exists() and not run.job("t").failed(1).exists()
    assert '"kind": "end"' not in spool.read_text()  # its run in MLflow goes on
    done = job(run, "train", "--name", "t", index=1)
    assert done.returncode == 0 and "resuming after epoch" in done.stdout
    assert load_model(run.model("t-mlp")).card.best_epoch > 1
