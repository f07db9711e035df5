"""Values that are wrong by themselves, and values in another order, are named and undone."""

import numpy as np
import pytest

from hpc_jobs.identification.nuisances.arrangements import arrangements
from hpc_jobs.identification.nuisances.examine import examine
from hpc_jobs.identification.nuisances.faults import Wrong, far_off, in_words, robust_residual
from tests.unit.identification.test_nuisances import DP780, campaign, measured, misses, pulled

SPECIMENS = campaign().specimens
SHAPE = SPECIMENS.strain_shape
FORCES = SPECIMENS.force_shape


def test_a_spike_and_zeros_are_left_out_and_named():
    strains, forces = (values.copy() for values in pulled())
    field = strains.reshape(SHAPE)
    field[0, 1, 7, 5] += 0.1
    field[:, 0, [2, 5], -2:] = 0.0
    found = examine(campaign(), measured(strains, forces), DP780)
    names = {one.name for one in found.examination.suspects}
    assert {"spike@45", "zeros@0"} <= names
    words = " ".join(found.examination.reservations)
    assert "in specimen 45 patch 8 at time 6 were a spike" in words
    assert "in specimen 0 patch 3 at times 9 to 10 were 0" in words
    assert found.examination.finding == "fits"
    assert found.examination.values == strains.size + forces.size - 2 - 8
    assert max(misses(found).values()) < 3.3


def test_patches_that_were_counted_the_other_way_are_put_right():
    strains, forces = pulled()
    patches = SPECIMENS.patches
    order = np.arange(patches.count).reshape(patches.along, patches.across).T.ravel()
    written = strains.reshape(SHAPE)[:, :, order].ravel()
    found = examine(campaign(), measured(written, forces))
    first = found.examination.suspects[0]
    assert first.name == "transposed" and first.probability > 0.9 and first.sigmas > 20
    assert max(misses(found).values()) < 3.3


def _residual() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(SPECIMENS.strain_values + FORCES[0] * FORCES[1])


def _worded(strains, forces, change) -> list[str]:
    """Change noisy values, find what is far off, and say it."""
    measurement = measured(strains, forces)
    field = measurement.strains.reshape(SHAPE)
    pull = measurement.forces.reshape(FORCES)
    change(field, pull)
    predicted = np.concatenate([strains, np.log(forces)])
    seen = np.concatenate([measurement.strains, np.log(measurement.forces)])
    deviations = np.concatenate([np.full(strains.size, 5e-4), np.full(forces.size, 5e-3)])
    wrong = far_off((seen - predicted) / deviations, 1.0, SPECIMENS)
    return [one.words for one in in_words(wrong, measurement, predicted, deviations)]


def _exchange(field, _):
    field[:, 0, :, [4, 6]] = field[:, 0, :, [6, 4]]


def _freeze(field, _):
    field[:, 2, 4, 6:] = field[:, 2, 4, 5:6]


def _blank(field, _):
    field[:, 1, :, 6] = 0.0


def _pull(_, forces):
    forces[2, 3] *= 1.3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_exchange, "specimen 0 the pictures of times 5 and 7 had changed places"),
        (_freeze, "specimen 90 patch 5"),
        (_blank, "specimen 45 the picture of time 7 were an unloaded one"),
        (_pull, "specimen 90 the force at time 4 were a spike"),
    ],
)
def test_a_fault_is_said_as_a_person_would(change, words):
    assert any(words in one for one in _worded(*pulled(), change))


def test_noise_alone_is_no_fault_and_what_is_everywhere_is_none():
    assert not far_off(_residual(), 1.0, SPECIMENS).any
    assert not far_off(30 * np.sign(_residual()), 1.0, SPECIMENS).any
    nothing = Wrong.nothing(SPECIMENS)
    whole = measured(*pulled())
    assert np.array_equal(nothing.left_out(whole).strains, whole.strains)


def test_a_few_values_do_not_pull_a_robust_fit():
    random = np.random.default_rng(2)
    jacobian = random.standard_normal((400, 3))
    residual = jacobian @ [1.0, -2.0, 0.5] + 0.1 * random.standard_normal(400)
    residual[[5, 80]] += 1000
    left, scatter = robust_residual(residual, jacobian, np.zeros(3), np.full(3, 1e-6))
    assert np.abs(np.delete(left, [5, 80])).max() < 0.5 and scatter == 1.0
    assert left[[5, 80]].min() > 990


def test_every_order_is_undone_by_what_it_says():
    """Undoing a time shift or a mirror image restores what is known of the measurement."""
    whole = measured(*pulled())
    by_name = {one.name: one for one in arrangements(SPECIMENS)}
    assert {"swapped@0-45", "transposed", "mirrored@45", "strains_late", "forces_early@0"} <= set(
        by_name
    )
    twice = by_name["mirrored@45"].undone(by_name["mirrored@45"].undone(whole))
    np.testing.assert_array_equal(twice.strains, whole.strains)
    early = by_name["strains_late"].undone(whole).strains.reshape(SHAPE)
    np.testing.assert_array_equal(early[..., :-1], whole.strains.reshape(SHAPE)[..., 1:])
    assert np.isnan(early[..., -1]).all()
