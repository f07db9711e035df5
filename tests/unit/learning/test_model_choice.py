"""Welch's test against published means and scipy; Holm and the speedup by hand."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from hpc_jobs.contract.speedup import LookupCosts
from hpc_jobs.learning.evaluation.model_choice import Sample, TooFewSeeds, better_than, holm, welch


def test_welch_of_the_material_interface_study():
    found = welch(
        Sample(mean=4.77, deviation=0.1129, count=32),
        Sample(mean=4.9548, deviation=0.4145, count=32),
    )
    assert found.t == pytest.approx(-2.433, abs=5e-4)
    assert found.freedom == pytest.approx(35.6, abs=0.05)
    assert found.p == pytest.approx(0.0101, abs=5e-5)
    assert found.interval[0] < 4.77 - 4.9548 < found.interval[1] < 0


def test_welch_equals_scipy_on_seeds():
    rng = np.random.default_rng(1)
    first, second = rng.normal(1, 0.1, 7), rng.normal(1.2, 0.4, 12)
    ours = welch(Sample.of("a", first), Sample.of("b", second))
    theirs = ttest_ind(first, second, equal_var=False, alternative="less")
    assert ours.t == pytest.approx(theirs.statistic)
    assert ours.freedom == pytest.approx(theirs.df)
    assert ours.p == pytest.approx(theirs.pvalue)


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )


def test_only_what_is_better_is_called_better():
    errors = {"old": [1.0, 1.1, 0.9, 1.05], "new": [0.5, 0.55, 0.6, 0.5], "same": [1.0, 1.2, 0.8]}
    found = better_than("old", errors)
    assert found["new"][1] < 0.05 < found["same"][1]
    assert found["new"][0].effect_size < -2


@pytest.mark.parametrize("values", [[1.0], [1.0, math.nan]])
def test_one_seed_proves_nothing(values):
    with pytest.raises(TooFewSeeds, match="'new' has the errors"):
        better_than("old", {"old": [1.0, 1.1], "new": values})


def test_effective_speedup_by_hand():
    costs = LookupCosts(sequential_s=10, lookup_s=0.1, train_s=1, learn_s=0.5, train_records=100)
    assert costs.effective_speedup(0) == pytest.approx(10 * 100 / 150)
    assert costs.effective_speedup(900) == pytest.approx(10 * 1000 / (90 + 150))
    assert costs.limit == pytest.approx(100)
    assert costs.break_even == 16  # 150 / 9.9 = 15.2
    dear = LookupCosts(sequential_s=1, lookup_s=2, train_s=1, learn_s=1, train_records=1)
    assert dear.break_even == math.inf
