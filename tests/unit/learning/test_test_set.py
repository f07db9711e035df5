"""Errors against hand-computed ones; baselines against what is known of them."""

import csv

import numpy as np
import pytest

from hpc_jobs.dataset.dataset import Examples, open_dataset, validation_examples
from hpc_jobs.dataset.dataset import test_examples as frozen_examples
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.identification.rival import RIVALS
from hpc_jobs.learning.evaluation.baselines import baseline_estimates
from hpc_jobs.learning.evaluation.coverage import coverage_of
from hpc_jobs.learning.evaluation.metrics import errors_of
from hpc_jobs.learning.evaluation.test_set import Answers, report_on_test_set
from hpc_jobs.learning.evaluation.worst_cases import write_worst_cases


def test_errors_by_hand():
    scaler = TargetScaler(targets=("MP1", "MP2"), low=(1.0, 0.0), high=(3.0, 10.0))
    scaled = np.array([[0.0, 0.5], [1.0, 0.5], [0.5, 0.0], [0.5, 1.0]], dtype=np.float32)
    nothing = np.zeros((4, 1), np.float32)
    examples = Examples(strains=nothing, forces=nothing, scaled=scaled, physical=scaled)
    deviation = np.array([[0.1, 0.0], [-0.1, 0.2], [0.1, 0.0], [0.3, 0.0]])
    errors = errors_of(scaled + deviation, examples, scaler)
    assert errors.targets["MP1"].mse == pytest.approx(0.03, rel=1e-5)
    assert errors.targets["MP2"].mse == pytest.approx(0.01, rel=1e-5)
    assert errors.sum_mse == pytest.approx(0.04, rel=1e-5)
    assert errors.mean_mse == pytest.approx(0.02, rel=1e-5)
    assert errors.targets["MP1"].mae == pytest.approx(0.15 * 2, rel=1e-5)  # physical
    assert errors.targets["MP2"].median == pytest.approx(0, abs=1e-5)
    assert errors.targets["MP1"].r2 == pytest.approx(1 - 0.03 / 0.125, rel=1e-5)


@pytest.fixture
def dataset(run, campaign):
    publish_dataset(run, campaign)
    return open_dataset(run, 0.1)


def fitted(dataset):
    return {name: fit(dataset, False) for name, fit in RIVALS.items()}


def test_baselines_rank_as_they_must(dataset):
    validation, test = validation_examples(dataset), frozen_examples(dataset)
    answers = baseline_estimates(dataset, validation, test, rivals=fitted(dataset))
    errors = {k: errors_of(v, test, dataset.facts.scaler).sum_mse for k, v in answers.items()}
    variance = float(test.scaled.var(0).sum())
    assert errors["mean"] == pytest.approx(variance, rel=0.1) and errors["mean"] >= variance
    assert errors["pca_ridge"] < 0.5 * errors["mean"]
    assert errors["surrogate"] < errors["pca_ridge_quadratic"]


def answers(scaled, test, scaler, *, novelty=0.0, half=0.1):
    """Answers whose intervals reach `half` of the range to both sides."""
    low, span = np.array(scaler.low), np.array(scaler.high) - np.array(scaler.low)
    ends = low + span * (scaled - half), low + span * (scaled + half)
    return Answers(scaled, ends, 0.9, np.full(len(scaled), novelty))


def test_the_report_says_who_is_beaten(dataset):
    validation, test = validation_examples(dataset), frozen_examples(dataset)
    scaler, rivals = dataset.facts.scaler, fitted(dataset)
    truth = report_on_test_set(
        answers(test.scaled, test, scaler), dataset, validation, test, rivals=rivals
    )
    assert truth.loses_to == () and truth.beaten_at == {} and truth.novel_share == 0
    constant = np.full_like(test.scaled, 0.7)
    constant[:, 2] = test.scaled[:, 2]
    report = report_on_test_set(
        answers(constant, test, scaler, novelty=2.0),
        dataset,
        validation,
        test,
        rivals=fitted(dataset),
    )
    assert set(report.loses_to) == {"mean", "pca_ridge", "pca_ridge_quadratic", "surrogate"}
    assert "MP3" not in report.beaten_at and "mean" in report.beaten_at["MP1"]
    assert report.novel_share == 1
    shares = {target: one.share for target, one in report.coverage.targets.items()}
    assert shares["MP3"] == 1
    assert shares["MP1"] == pytest.approx((np.abs(test.scaled[:, 0] - 0.7) <= 0.1).mean())


def test_coverage_by_hand():
    """Nine truths; the widest third of the intervals is that of the highest truths."""
    truth = np.array([[5.0], [1.0], [2.0], [8.0], [9.0], [3.0], [4.0], [6.0], [7.0]])
    half = np.where(truth > 6, 3.0, 1.0)
    centre = truth + np.where(truth <= 2, 1.5, 0.5)
    coverage = coverage_of((centre - half, centre + half), truth, ("MP1",), 0.9).targets["MP1"]
    assert (coverage.records, coverage.width) == (9, 2.0)
    assert coverage.share == pytest.approx(7 / 9)  # 1 and 2 are missed
    shares = {name: region.share for name, region in coverage.regions.items()}
    assert shares == {"lowest": pytest.approx(1 / 3), "middle": 1.0, "highest": 1.0}
    assert coverage.regions["highest"].width == 6.0


def test_the_worst_cases_come_first_with_their_intervals(tmp_path):
    scaler = TargetScaler(targets=("MP1", "MP2"), low=(1.0, 0.0), high=(3.0, 10.0))
    truth = np.full((4, 2), 0.5, np.float32)
    test = Examples(truth, truth, truth, np.array([2.0, 5.0]) + np.zeros((4, 2)))
    scaled = truth + np.array([[0, 0], [0.2, 0], [0, 0], [0, -0.4]])
    write_worst_cases(tmp_path / "w.csv", answers(scaled, test, scaler), test, scaler, cases=2)
    first, second = csv.DictReader((tmp_path / "w.csv").read_text().splitlines())
    assert (first["record"], second["record"]) == ("3", "1")
    assert float(first["squares"]) == pytest.approx(0.16)
    found = {key: float(first[f"MP2{key}"]) for key in ("", "_low", "_high", "_true")}
    assert found == pytest.approx({"": 1.0, "_low": 0.0, "_high": 2.0, "_true": 5.0}, abs=1e-5)
