"""The posterior mean under the box's own law: nearer to the truth, and as sure as it is right."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate
from hpc_jobs.identification.posterior import posterior_mean, refine
from hpc_jobs.identification.prior import BoxLaw, fit_box_law

NOISE = (5e-4, 5e-3)
LIMITS = (np.array([0.9, 0.9]), np.array([1.1, 1.1]))


def parameters_at(places):
    """A curved map of the unit square: parameters (n, 2) of places (n, 2)."""
    first, second = 2 * places.T - 1
    return 1 + 0.1 * np.stack([first + 0.2 * second**2, second + 0.3 * first * second], axis=1)


def records(count, seed):
    """The second parameter is seen so weakly that its posterior ends at the box."""
    places = np.random.default_rng(seed).uniform(0, 1, (count, 2))
    parameters = parameters_at(places)
    x = (parameters - 1) / 0.1
    where = np.linspace(0, 1, 20)
    strains = 0.05 + 0.01 * x[:, :1] * where + 3e-4 * x[:, 1:] * (1 - where)
    return places, ForwardRecords(parameters, strains, None)


@pytest.fixture(scope="module")
def fitted() -> tuple[Surrogate, BoxLaw]:
    places, train = records(400, 0)
    surrogate = fit_surrogate(train, LIMITS, NOISE)
    return surrogate, fit_box_law(surrogate, train.parameters, places)


def test_the_law_is_the_density_that_uniform_places_have(fitted):
    surrogate, law = fitted
    places, unseen = records(300, 1)
    u = surrogate.coordinates(unseen.parameters)
    assert np.abs(law.places(u) - places).max() < 0.02
    exact = 0.04 * np.abs(_determinants(places))  # of d parameters / d places
    ratio = np.exp(law.log_density(u)) * exact
    inside = np.isfinite(law.log_density(u))
    assert inside.mean() > 0.97
    np.testing.assert_allclose(ratio[inside] / np.median(ratio[inside]), 1, atol=0.1)
    outside = surrogate.coordinates(parameters_at(np.array([[0.5, 1.04], [1.04, 0.5]])))
    assert np.all(law.log_density(outside) == -np.inf)


def _determinants(places):
    first, second = 2 * places.T - 1
    return (1 + 0.3 * first) - 0.4 * second * 0.3 * second


def test_its_square_error_is_the_least_and_the_one_it_expects(fitted):
    surrogate, law = fitted
    _, truth = records(1500, 2)
    strains = truth.strains + NOISE[0] * np.random.default_rng(3).normal(size=truth.strains.shape)
    probable = refine(surrogate, strains)
    mean = posterior_mean(surrogate, law.log_density, strains, samples=512)
    errors = [((one.parameters - truth.parameters) ** 2).mean(0) for one in (probable, mean)]
    assert errors[1][1] < 0.97 * errors[0][1]
    assert errors[1].sum() < errors[0].sum()
    np.testing.assert_allclose((mean.deviation**2).mean(0), errors[1], rtol=0.12)


def test_a_sheet_outside_the_box_keeps_the_most_probable_answer(fitted):
    surrogate, law = fitted
    _, one = records(1, 4)
    strange = one.strains + 0.05 * np.linspace(0, 1, 20)
    probable = refine(surrogate, strange)
    mean = posterior_mean(surrogate, law.log_density, strange)
    np.testing.assert_array_equal(mean.parameters, probable.parameters)
    np.testing.assert_array_equal(mean.covariance, probable.covariance)


def test_a_box_of_another_dimension_is_refused(fitted):
    surrogate, _ = fitted
    places, train = records(50, 5)
    with pytest.raises(BadInput, match="bounds 1 quantities, the parameters have 2"):
        fit_box_law(surrogate, train.parameters, places[:, :1])
