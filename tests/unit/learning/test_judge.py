"""Errors against hand-computed ones; baselines against what is known of them."""

import numpy as np
import pytest

from hpc_jobs.learning.data.dataset import Examples, open_dataset, validation_examples
from hpc_jobs.learning.data.dataset import test_examples as frozen_examples
from hpc_jobs.learning.data.facts import TargetScaler
from hpc_jobs.learning.data.pack import publish_dataset
from hpc_jobs.learning.evaluation.baselines import baseline_estimates
from hpc_jobs.learning.evaluation.judge import judge
from hpc_jobs.learning.evaluation.metrics import errors_of


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


def test_baselines_rank_as_they_must(dataset):
    validation, test = validation_examples(dataset), frozen_examples(dataset)
    answers = baseline_estimates(dataset, validation, test)
    errors = {k: errors_of(v, test, dataset.facts.scaler).sum_mse for k, v in answers.items()}
    variance = float(test.scaled.var(0).sum())
    assert errors["mean"] == pytest.approx(variance, rel=0.1) and errors["mean"] >= variance
    assert errors["pca_ridge"] < 0.5 * errors["mean"]
    assert errors["surrogate"] < errors["pca_ridge_quadratic"]


def test_the_report_says_who_is_beaten(dataset):
    validation, test = validation_examples(dataset), frozen_examples(dataset)
    nobody = np.zeros(len(test.strains), bool)
    truth = judge(test.scaled, nobody, dataset, validation, test)
    assert truth.loses_to == () and truth.beaten_at == {} and truth.novel_share == 0
    constant = np.full_like(test.scaled, 0.7)
    constant[:, 2] = test.scaled[:, 2]
    report = judge(constant, ~nobody, dataset, validation, test)
    assert set(report.loses_to) == {"mean", "pca_ridge", "pca_ridge_quadratic", "surrogate"}
    assert "MP3" not in report.beaten_at and "mean" in report.beaten_at["MP1"]
    assert report.novel_share == 1
