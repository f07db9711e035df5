"""Conformal intervals against the finite-sample law that they promise."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.learning.models.calibration import calibrate, conformal_factors, require_records


def test_the_factor_is_the_score_at_the_finite_sample_rank():
    """Of ten scores those of 90 % take the tenth, ceil(11 x 0.9); the plain quantile is the ninth.

    Of 19 they take the 18th.
    """
    for records, rank in ((10, 10), (19, 18)):
        scores = np.arange(1.0, records + 1)
        errors = np.stack([np.random.default_rng(1).permutation(scores), -3 * scores], axis=1)
        found = calibrate(errors, np.full((records, 2), 2.0), 0.9)
        assert found.factors == (rank / 2, 3 * rank / 2)
        assert found.residuals == pytest.approx(np.sqrt(np.square(errors).mean(0)))


def test_without_deviations_the_half_width_is_the_error_at_that_rank():
    errors = np.arange(1.0, 10.0)[:, None]
    found = calibrate(errors, None, 0.9)
    deviations = np.array([found.residuals] * 2)
    low, high = found.intervals(np.array([[0.0], [7.0]]), deviations)
    np.testing.assert_allclose(np.hstack([low, high]), [[-9, 9], [-2, 16]])


@pytest.mark.parametrize(("level", "fewest"), [(0.9, 9), (0.95, 19), (0.5, 1)])
def test_too_few_records_are_refused_with_the_remedy(level, fewest):
    require_records(fewest, level)
    calibrate(np.ones((fewest, 1)), None, level)
    with pytest.raises(ConfigurationError, match=rf"need {fewest}: raise training\.validation_fr"):
        calibrate(np.ones((fewest - 1, 1)), None, level)


@pytest.mark.parametrize("records", [9, 50, 400])
def test_coverage_over_many_calibrations_is_what_the_theorem_says(records):
    """Heavy tails, deviations that are wrong: still level <= coverage <= level + 1/(n + 1)."""
    rng, level, calibrations = np.random.default_rng(2), 0.9, 4000
    errors = rng.standard_t(3, (records + 1, calibrations))
    scores = np.abs(errors) / (np.exp(rng.normal(size=errors.shape)) + 0.1 * np.abs(errors))
    inside = (scores[-1] <= conformal_factors(scores[:-1], level)).mean()
    luck = 3 * np.sqrt(level * (1 - level) / calibrations)
    assert level - luck < inside < level + 1 / (records + 1) + luck


def test_covariances_are_those_of_the_errors_widened_to_the_intervals():
    rng = np.random.default_rng(3)
    errors = rng.multivariate_normal([0, 0], [[4, 3], [3, 9]], 20_000)
    found = calibrate(errors, None, 0.9)
    covariance = found.covariances(np.array([found.residuals]))[0]
    np.testing.assert_allclose(covariance, [[4, 3], [3, 9]], rtol=0.03)


def test_a_target_without_any_error_does_not_break_the_others():
    errors = np.stack([np.zeros(20), np.arange(20.0)], axis=1)
    found = calibrate(errors, None, 0.9)
    assert found.factors[0] == 0 and found.factors[1] > 0
    assert np.isfinite(found.covariances(np.array([found.residuals]))).all()


def test_weighted_records_stand_for_the_law_that_they_were_not_drawn_from():
    """Half of the records come from a corner whose errors are thrice as large.

    Weights that undo this give the intervals of the law itself; without them these are too wide.
    """
    random = np.random.default_rng(3)
    even = random.standard_normal((4000, 1)) * np.where(random.random((4000, 1)) < 0.1, 3, 1)
    corner = 3 * random.standard_normal((3200, 1))
    truth = np.quantile(np.abs(even), 0.9)
    shifted = np.vstack([random.standard_normal((3600, 1)), corner])
    weights = np.concatenate([np.full(3600, 1.0), np.full(3200, 400 / 3200)])
    wide = calibrate(shifted, np.ones_like(shifted), 0.9).factors[0]
    weighted = calibrate(shifted, np.ones_like(shifted), 0.9, weights).factors[0]
    assert weighted == pytest.approx(truth, rel=0.15)
    assert wide > 1.5 * weighted
    ones = calibrate(shifted, None, 0.9, np.ones(len(shifted)))
    assert ones == calibrate(shifted, None, 0.9)


def test_records_that_weigh_nothing_do_not_count():
    errors = np.arange(1.0, 13.0)[:, None]
    weights = np.array([1.0] * 9 + [0.0] * 3)
    found = calibrate(errors, np.ones((12, 1)), 0.9, weights)
    assert found.factors[0] == 9.0
    with pytest.raises(ConfigurationError, match="need 9"):
        calibrate(errors, None, 0.9, np.array([1.0] * 8 + [0.0] * 4))
