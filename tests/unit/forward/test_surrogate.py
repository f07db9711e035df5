"""The surrogate recovers what it must, and says how wrong it is; the fit by it is Bayes' own."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.forward import surrogate as module
from hpc_jobs.forward.fidelity import corrected
from hpc_jobs.forward.records import ForwardRecords, training_records
from hpc_jobs.forward.surrogate import fit_surrogate
from hpc_jobs.identification.posterior import bound, refine

NOISE = (5e-4, 5e-3)
TARGETS, STRAINS, FORCES = 3, 60, 6


def simulate(parameters):
    """(n, 3) -> strains (n, 60), forces (n, 6): cubic, the third parameter seen by force alone."""
    x = (parameters - 1) / 0.1
    first, second, third = x.T[..., None]
    place = np.linspace(0, 1, STRAINS)
    strains = 0.05 + 0.01 * (
        first * place + second * (1 - place) ** 2 + 0.2 * first * second**2 * np.sin(6 * place)
    )
    forces = 8000 * np.exp(0.05 * (third + 0.3 * first) * np.linspace(0.5, 1, FORCES))
    return strains, forces


def records(count, seed=0, low=0.9, high=1.1):
    parameters = np.random.default_rng(seed).uniform(low, high, (count, TARGETS))
    return ForwardRecords(parameters, *simulate(parameters))


LIMITS = (np.full(TARGETS, 0.9), np.full(TARGETS, 1.1))


@pytest.fixture(scope="module")
def surrogate():
    return fit_surrogate(records(150), LIMITS, NOISE)


def test_a_cubic_law_is_learned_to_a_hundredth_of_the_noise(surrogate):
    unseen = records(50, seed=9, low=0.91, high=1.09)
    strains, forces = surrogate.simulate(unseen.parameters)
    assert surrogate.monomials.degree >= 3
    assert np.abs(strains - unseen.strains).max() < 0.01 * NOISE[0]
    assert np.abs(forces / unseen.forces - 1).max() < 0.01 * NOISE[1]


def test_leaving_one_out_equals_fitting_again_without_it():
    train = records(40, seed=3)
    scaled = (train.parameters - 0.9) / 0.2
    centre, axes = module._principal(scaled, TARGETS)
    u, outputs = (scaled - centre) @ axes, train.strains
    [(_, monomials, _, missed)] = module._polynomials(u, outputs, 2, [1e-4])
    fading = module.FADING ** monomials.exponents.sum(1)
    basis, others = monomials(u / module.REACH) * fading, np.arange(40) != 17
    # the penalty stays that of all 40 records
    gram = basis[others].T @ basis[others] + 40e-4 * np.eye(basis.shape[1])
    again = np.linalg.solve(gram, basis[others].T @ outputs[others])
    np.testing.assert_allclose(missed[17], outputs[17] - basis[17] @ again, rtol=1e-6, atol=1e-9)


def test_of_many_records_a_part_chooses_and_all_are_fitted(monkeypatch):
    train = records(120, seed=3)
    u, outputs = (train.parameters - 1) / 0.1, train.strains
    monkeypatch.setattr(module, "CHOOSING_RECORDS", 60)
    monomials, coefficients, missed = module.best_polynomial(u, outputs, STRAINS, range(1, 5))
    assert (
        monomials.degree
        == module.best_polynomial(u[:60], outputs[:60], STRAINS, range(1, 5))[0].degree
    )
    assert missed.shape == outputs.shape
    fitted = monomials(u / module.REACH) @ coefficients
    assert 0 < np.abs(fitted - outputs).max() < np.abs(missed).max()


def test_records_in_blocks_are_fitted_as_all_at_once(monkeypatch):
    u, outputs = np.random.default_rng(3).normal(size=(2, 300, 3))
    outputs[:, 0] = u[:, 0] * u[:, 1] ** 2
    whole = module.best_polynomial(u, outputs, 2, (1, 2, 3))
    monkeypatch.setattr(module, "BLOCK", 70)
    monomials, coefficients, missed = module.best_polynomial(u, outputs, 2, (1, 2, 3))
    assert monomials.degree == whole[0].degree == 3
    np.testing.assert_allclose(coefficients, whole[1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(missed, whole[2], rtol=1e-6, atol=1e-9)


def test_a_polynomial_never_has_more_terms_than_a_node_can_fit(surrogate, monkeypatch):
    assert surrogate.monomials.degree >= 3  # of whose terms there are 20
    monkeypatch.setattr(module, "MOST_TERMS", 19)
    assert fit_surrogate(records(150), LIMITS, NOISE).monomials.degree == 2


def test_parameters_on_a_surface_have_fewer_coordinates():
    free = np.random.default_rng(4).uniform(-1, 1, (300, 2))
    third = 0.3 * free[:, :1] * free[:, 1:] + 0.2 * free[:, :1] ** 2
    parameters = 1 + 0.1 * np.hstack([free, third])
    fitted = fit_surrogate(ForwardRecords(parameters, *simulate(parameters)), LIMITS, NOISE)
    assert fitted.axes.shape == (TARGETS, 2)
    again = fitted.parameters(fitted.coordinates(parameters))
    assert np.abs(again - parameters).max() < 2e-4


def noisy(truth, seed):
    rng = np.random.default_rng(seed)
    strains = truth.strains + NOISE[0] * rng.normal(size=truth.strains.shape)
    return strains, truth.forces * (1 + NOISE[1] * rng.normal(size=truth.forces.shape))


def test_without_noise_the_parameters_come_back(surrogate):
    truth = records(40, seed=5)
    found = refine(surrogate, truth.strains, truth.forces)
    assert found.converged.all()
    # drawn to the prior's middle, by less than the noise would move them
    assert np.all(np.abs(found.parameters - truth.parameters) < found.deviation)
    assert found.chi_square.max() < 0.05 * found.freedom
    assert found.freedom == STRAINS + FORCES - TARGETS


def test_intervals_cover_and_the_bound_is_reached(surrogate):
    truth = records(400, seed=6)
    found = refine(surrogate, *noisy(truth, 7))
    errors = found.parameters - truth.parameters
    covered = (np.abs(errors) < 1.645 * found.deviation).mean(0)
    assert np.all((covered > 0.84) & (covered < 0.96)), covered
    floor = bound(surrogate, truth.parameters, with_forces=True).mean(0)
    np.testing.assert_allclose((errors**2).mean(0) / floor, 1, atol=0.3)
    assert np.median(found.chi_square) / found.freedom == pytest.approx(1, abs=0.1)


def test_without_force_what_only_force_sees_stays_as_uncertain_as_before(surrogate):
    truth = records(60, seed=8)
    strains, forces = noisy(truth, 9)
    with_force, without = refine(surrogate, strains, forces), refine(surrogate, strains)
    prior = 0.2 / np.sqrt(12)  # of a uniform law
    np.testing.assert_allclose(without.deviation[:, 2], prior, rtol=0.15)
    assert with_force.deviation[:, 2].max() < 0.3 * prior
    assert np.all(bound(surrogate, truth.parameters, with_forces=False)[:, 2] > 0.7 * prior**2)


def test_strains_of_another_world_stick_out_by_their_chi_square(surrogate):
    truth = records(5, seed=10)
    strange = truth.strains + 20 * NOISE[0] * np.sin(40 * np.linspace(0, 1, STRAINS))
    found = refine(surrogate, strange, truth.forces)
    assert found.chi_square.min() > 50 * found.freedom


def test_a_start_is_used_where_it_ends_better(surrogate):
    truth = records(30, seed=11)
    strains, forces = noisy(truth, 12)
    alone = refine(surrogate, strains, forces)
    helped = refine(surrogate, strains, forces, start=truth.parameters)
    np.testing.assert_allclose(helped.parameters, alone.parameters, atol=1e-4)


def finer(truth):
    """The same sheets on another mesh: smoothly different, also where no coarse record varies."""
    x = (truth.parameters[:, :1] - 1) / 0.1
    strange = 8 * NOISE[0] * np.sin(25 * np.linspace(0, 1, STRAINS)) * (1 + 0.3 * x)
    return ForwardRecords(truth.parameters, truth.strains + strange, truth.forces * 0.98)


def test_a_few_fine_records_correct_a_coarse_surrogate(surrogate):
    fine = finer(records(12, seed=13, low=0.91, high=1.09))
    better = corrected(surrogate, fine)
    unseen = finer(records(200, seed=14, low=0.91, high=1.09))
    strains, forces = better.simulate(unseen.parameters)
    coarse, _ = surrogate.simulate(unseen.parameters)
    assert np.abs(coarse - unseen.strains).max() > 5 * NOISE[0]
    assert np.abs(strains - unseen.strains).max() < 0.3 * NOISE[0]
    assert np.abs(forces / unseen.forces - 1).max() < 0.3 * NOISE[1]
    found = refine(better, *noisy(unseen, 15))
    assert np.median(found.chi_square) / found.freedom == pytest.approx(1, abs=0.1)
    covered = (np.abs(found.parameters - unseen.parameters) < 1.645 * found.deviation).mean()
    assert 0.84 < covered < 0.96


def test_training_records_come_from_the_packed_dataset(run, campaign):
    facts = publish_dataset(run, campaign)
    found, all_records = training_records(run)
    assert found == facts and len(all_records) == facts.train
    assert all_records.forces.shape == (facts.train, campaign.specimens.force_values)
    assert len(training_records(run, 7)[1]) == 7
    packed = run.dataset / facts.train_files[0]
    content = bytearray(packed.read_bytes())
    content[-1] ^= 1
    packed.write_bytes(content)
    with pytest.raises(CorruptFile, match="sha256"):
        training_records(run, 7)
