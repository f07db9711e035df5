"""From parameter points to a verdict, every job as the cluster runs it, on a small campaign."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from hpc_jobs.cards import CARDS
from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.facts import DesignFacts
from hpc_jobs.contract.gate import Comparison
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import (
    ShardFields,
    publish_model,
    read_manifest,
    read_model,
)
from hpc_jobs.contract.validation import Estimates, Verdict
from hpc_jobs.measurement.file import write_measurement
from hpc_jobs.measurement.virtual_experiment import virtual_experiment
from hpc_jobs.measurement_page.sentence import answer

ROOT = Path(__file__).parents[3]

SMALL = {
    "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 6, "end_displacement_mm": 0.8},
    "design": {
        "train_records": 120,
        "test_records": 8,
        "records_per_shard": 128,
        "later_rounds": {
            **{"posteriors": 0.4, "disagreement": 0.1, "calibration": 0.1, "edges": 0.1},
            **{"skip_within": 2.0, "audit_share": 0.2, "least_gain": 1e-6},
        },
    },
    "training": {
        "networks": [{"kind": "mlp", "components": 8, "hidden": [32]}],
        "epochs": 20,
        "validation_fraction": 0.35,  # of so few records: intervals want nine to be calibrated on
    },
    "validation": {"measurements": ["dp780", "aa2090"], "mesh_refinement": 2, "updating": True},
}


def job(run: RunFolder[Path], name: str, *options: str, index: int = 0) -> None:
    environment = {**os.environ, "TASK_INDEX": str(index), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"hpc_jobs.jobs.{name}", str(run.root), *options]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.slow
def test_every_job_from_points_to_verdict(tmp_path: Path, demo: Path) -> None:
    campaign = load(Campaign, demo, SMALL)
    run = RunFolder(tmp_path / "run")
    frozen = FrozenCampaign(run_id="run", campaign=campaign, code_sha256="0" * 64)
    publish_model(run.campaign, frozen)
    for alloy in campaign.validation.measurements:
        experiment = virtual_experiment(campaign, alloy, alloy, mesh=Mesh(along=32, across=16))
        write_measurement(run.measurement(alloy), experiment)
    job(run, "choose_points", "--round", "0")
    job(run, "solve_shard", "--round", "0")
    job(run, "publish_dataset")
    job(run, "train", "--name", "small")
    job(run, "identify", "--model", "small-mlp", "--validation", "first")
    for index in range(2):
        job(run, "resimulate", "--validation", "first", index=index)
    job(run, "score", "--validation", "first")
    _check(run)
    _compared(run)
    _aimed(run)


def _compared(run: RunFolder[Path]) -> None:
    """The gate's evidence: alone, against itself, against a champion that is gone."""
    asked = ("compare", "--model", "small-mlp", "--validation", "first")
    job(run, *asked)
    alone = read_model(Comparison, run.comparison("first"))
    assert alone.champion is None and not alone.not_comparable
    assert alone.sealed.records == len(alone.challenger.losses) == 8
    assert (run.root.parent / "sealed" / alone.sealed.question / "v0001.json").is_file()
    assert {*alone.challenger.sheets, *alone.without_twin} == {"dp780", "aa2090"}
    job(run, *asked, "--champion-run", "run", "--champion", "small-mlp")
    both = read_model(Comparison, run.comparison("first"))
    assert both.champion is not None and both.champion.losses == both.challenger.losses
    assert both.sealed == alone.sealed and both.challenger.losses == alone.challenger.losses
    job(run, *asked, "--champion-run", "gone", "--champion", "mlp")
    lone = read_model(Comparison, run.comparison("first"))
    assert lone.champion is None and "missing" in lone.not_comparable
    # Its run is gone, but MLflow's copy of it was put beside the runs
    sha256 = both.champion.sha256
    kept = run.model("small-mlp"), run.root.parent / f"champions/{sha256}/small-mlp"
    shutil.copytree(*kept)
    job(run, *asked, "--champion-run", "gone", "--champion", "small-mlp",
        "--champion-sha256", sha256)  # fmt: skip
    expired = read_model(Comparison, run.comparison("first"))
    assert expired.champion_expired and not expired.not_comparable
    assert expired.champion is not None and expired.champion.losses == both.champion.losses


def _aimed(run: RunFolder[Path]) -> None:
    """A later round aims at what this run has found out, and its weights reach the dataset."""
    job(run, "choose_points", "--round", "1", "--records", "30")
    facts = DesignFacts.of(read_manifest(manifest_of(run.design(1)), "design"))
    assert sum(facts.by_aim.values()) == 30 and not facts.stopped
    assert facts.by_aim["posteriors"] == 12, facts
    assert facts.curve is not None and facts.curve.error[-1] >= 1
    assert set(facts.by_aim) | set(facts.notes) >= {"disagreement", "calibration", "edges"}
    job(run, "solve_shard", "--round", "1")
    with h5py.File(run.shard(1, 0)) as file:
        weights = file[ShardFields.WEIGHT][...]
    assert weights.shape == (30,) and weights.min() < 0.9
    job(run, "publish_dataset")
    sealed = read_model(Comparison, run.comparison("first")).sealed
    job(run, "compare", "--model", "small-mlp", "--validation", "first")
    assert read_model(Comparison, run.comparison("first")).sealed == sealed


def _check(run: RunFolder[Path]) -> None:
    said = read_model(Estimates, run.estimates("first"))
    estimates = {estimate.measurement: estimate for estimate in said.estimates}
    verdict = read_model(Verdict, run.verdict("first"))
    assert said.lookups and said.lookups.refinement_s
    assert said.lookups.network_s < said.lookups.refinement_s
    assert verdict.updating and verdict.updating.simulations > 8
    assert verdict.model == "small-mlp"
    assert estimates["aa2090"].parameters is None
    assert verdict.measurements["aa2090"].verdict == "outside"
    answered = estimates["dp780"].parameters is not None
    assert bool(verdict.measurements["dp780"].intervals) is answered
    assert ("strain_rms" in verdict.measurements["dp780"].errors) is answered
    for name in estimates:
        assert run.figure("first", name).is_file()
        manifest = json.loads(run.field("first", name).with_suffix(".json").read_text())
        skipped = manifest["facts"]["status"] == "not_answered"
        assert skipped is (estimates[name].parameters is None)
        assert run.refined_figure("first", name).is_file()
    refined = {e.measurement: e for e in read_model(Estimates, run.estimates("first")).refined}
    assert refined["aa2090"].parameters is None
    assert verdict.refined["aa2090"].verdict == "outside"
    # So few records of so coarse a mesh need not suffice for the network to be asked; the
    # refinement answers, so that everything behind an answer has been tried.
    assert refined["dp780"].parameters is not None, refined["dp780"].outside
    assert refined["dp780"].covariance is not None
    assert verdict.refined["dp780"].intervals and verdict.refined["dp780"].errors["strain_rms"] > 0
    _check_pages(run)


def _check_pages(run: RunFolder[Path]) -> None:
    """Every measurement has a page; who is answered also a sheet, cards, and the tools' doors."""
    sheet = read_model(IdentifiedSheet, run.sheet("first", "dp780"))
    assert sheet.method == "surrogate" and sheet.run_id == "run"
    assert all(one.half_width for one in sheet.parameters.values())
    page = run.page("first", "dp780").read_text()
    judgement = read_model(Verdict, run.verdict("first")).refined["dp780"]
    [found] = [
        one
        for one in read_model(Estimates, run.estimates("first")).refined
        if one.measurement == "dp780"
    ]
    assert answer(sheet, judgement, found.examination) in page
    assert "not answered" in run.page("first", "aa2090").read_text()
    assert not run.sheet("first", "aa2090").exists()
    if sheet.verdict != "fail":
        assert len(list(run.cards("first", "dp780").iterdir())) == len(CARDS)
    printed = tool("card", str(run.root), "dp780", "--format", "ls-dyna-133", "--force")
    assert "*MAT_BARLAT_YLD2000" in printed.stdout
    missing = tool("card", str(run.root), "aa2090")
    assert missing.returncode == 1 and "did not answer" in missing.stderr
    out = run.root / "again.html"
    told = tool("report", str(run.root), "dp780", "--out", str(out))
    assert told.returncode == 0 and told.stdout.startswith("dp780 has r0 = "), told.stderr
    assert "α1" in out.read_text() and out.stat().st_size > 100_000
    again = tool("report", str(run.root), "dp780", "--out", str(out))
    assert again.returncode == 1 and "is there already" in again.stderr


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hpc_jobs.tools", *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
