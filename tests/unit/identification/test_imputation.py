"""What was lost is drawn from what simulated records make of the rest, and the answer is wider."""

from dataclasses import replace

import numpy as np
import pytest

from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.training import Noise
from hpc_jobs.identification.by_network import identify
from hpc_jobs.identification.imputation import DRAWS, RecordsLaw
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.verdict import judge
from hpc_jobs.measurement.measured import Measurement
from tests.unit.identification.test_nuisances import campaign

SPECIMENS = campaign().specimens
COUNT = SPECIMENS.strain_values
NOISE = 5e-4
RANDOM = np.random.default_rng(5)
MODES = RANDOM.standard_normal((4, COUNT)) * 0.01
MEAN = 0.05 + 0.01 * RANDOM.standard_normal(COUNT)


def records(count: int) -> np.ndarray:
    """Strains (count, strain_values) of a law with four directions."""
    return MEAN + RANDOM.standard_normal((count, 4)) @ MODES


def measurement(strains: np.ndarray, lost: np.ndarray) -> Measurement:
    header = MeasurementHeader(
        name="sheet",
        source="a test",
        material=campaign().material,
        specimens=SPECIMENS,
        noise=Noise(strain=NOISE, force_relative=0.005),
    )
    noisy = strains + NOISE * RANDOM.standard_normal(COUNT)
    return Measurement(header=header, strains=np.where(lost, np.nan, noisy), forces=None)


LAW = RecordsLaw.of(records(500), None)


def test_draws_are_as_far_from_the_truth_as_they_say():
    """Their mean errs by what they scatter, and what was measured is as it was."""
    lost = np.zeros(COUNT, bool)
    lost[::7] = True
    scores = []
    for truth in records(20):
        seen = measurement(truth, lost)
        drawn = LAW.draws(seen)
        assert drawn.shape == (DRAWS, COUNT)
        np.testing.assert_array_equal(drawn[3, ~lost], seen.strains[~lost])
        scores.append((drawn[:, lost].mean(axis=0) - truth[lost]) / drawn[:, lost].std(axis=0))
    assert np.sqrt(np.mean(np.square(scores))) < 1.0, "a draw has the noise of a strain besides"
    everything = np.ones(COUNT, bool)
    wide = LAW.draws(measurement(MEAN, everything), 400).std(axis=0)
    expected = np.sqrt((MODES**2).sum(axis=0))
    assert np.median(wide / expected) == pytest.approx(1.0, abs=0.15), "nothing was seen: the law's"


class Linear:
    """A network that answers linearly, and how sure it is."""

    novelty_limit, forces = 2.0, False
    weights = np.random.default_rng(6).standard_normal((COUNT, 8)) / COUNT

    def predict(self, strains, forces=None, known=None):
        return 1 + (strains - MEAN) @ self.weights

    def covariances(self, strains, forces=None, known=None):
        return np.repeat(1e-6 * np.eye(8)[None], len(strains), axis=0)

    def intervals(self, strains, forces=None, known=None):
        answers = self.predict(strains)
        return answers - 1e-3, answers + 1e-3

    def novelty(self, strains, forces=None):
        return np.zeros(len(strains))


def test_a_network_is_given_draws_and_says_so():
    lost = np.zeros(COUNT, bool)
    lost[: COUNT // 2] = True
    seen = measurement(records(1)[0], lost)
    nothing = MeshBias(strains=np.zeros(COUNT), forces=np.zeros(SPECIMENS.force_values))
    whole = replace(seen, strains=np.where(lost, MEAN, seen.strains))
    [withheld] = identify(campaign(), Linear(), [seen], nothing)
    assert "strains are missing" in withheld.outside[0]
    answers = identify(campaign(), Linear(), [whole, seen], nothing, lambda: LAW)
    assert [one.imputed for one in answers] == [0, COUNT // 2]
    widths = [np.diagonal(np.array(one.covariance)) for one in answers]
    assert (widths[1] > widths[0]).all(), "what was not seen makes it less sure"
    judged = judge(
        answers[1], {}, None, {}, None, campaign().design.box, campaign().validation.limits
    )
    assert judged.verdict == "reservations"
    assert f"{COUNT // 2} strains were not measured" in judged.reasons[0]
