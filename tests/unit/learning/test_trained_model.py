"""A model answers what it was published to answer (refusals: test_hostile_inputs.py)."""

import numpy as np
import pytest

from hpc_jobs.learning.models.trained_model import load_model
from tests.unit.learning.records import solve


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0])


@pytest.fixture(scope="module")
def strains(trained):
    parameters = np.random.default_rng(5).uniform(0.92, 1.08, (6, 8))
    return solve(parameters, trained[1].specimens.strain_values)


def test_answers_are_physical_and_frozen(model, strains):
    answers = model.predict(strains)
    assert answers.shape == (6, 8) and answers.dtype == np.float64
    assert answers.min() > 0.5 and answers.max() < 1.5  # not min-max units
    np.testing.assert_array_equal(answers, model.predict(strains))
    assert model.targets == tuple(f"MP{i}" for i in range(1, 9))


def test_records_are_answered_independently(model, strains):
    np.testing.assert_allclose(model.predict(strains[2:3]), model.predict(strains)[2:3], atol=1e-6)


def test_forces_are_not_looked_at_by_a_network_without_them(model, strains):
    answers = model.predict(strains)
    np.testing.assert_array_equal(model.predict(strains, np.full((6, 15), np.nan)), answers)


def test_read_only_input_is_fine_and_unchanged(model, strains):
    frozen = strains.copy()
    frozen.flags.writeable = False
    model.predict(frozen)
    np.testing.assert_array_equal(frozen, strains)


def test_another_specimen_is_not_taken_for_another_unit(model, strains):
    for factor in (3, 1 / 3, 0):
        assert np.isfinite(model.predict(factor * strains)).all()


def test_novelty_knows_its_own_and_flags_strangers(trained, model):
    campaign = trained[1]
    values, rng = campaign.specimens.strain_values, np.random.default_rng(8)
    noise = rng.normal(scale=5e-4, size=(200, values))
    own = solve(rng.uniform(0.9, 1.1, (200, 8)), values) + noise
    assert (model.novelty(own) > model.novelty_limit).mean() < 0.05
    beyond = solve(np.full((1, 8), 1.0) + 0.3 * np.array([[1, -1, 1, 1, -1, 1, -1, 1]]), values)
    spike = own[:1].copy()
    spike[0, 40:60] += 0.01
    for stranger in (beyond, spike, np.zeros((1, values))):
        assert model.novelty(stranger)[0] > model.novelty_limit
