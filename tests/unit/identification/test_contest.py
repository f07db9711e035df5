"""A contest judges a network's word on a measured sheet as the sheet's own answer is judged."""

import numpy as np

from hpc_jobs.identification.contest import Twin, _at_sheet


class Heavy:
    """A network that knows forces of a thousand newtons, and any strains."""

    novelty_limit = 1.0

    def predict(self, strains, forces, known):
        return np.zeros((len(strains), 2))

    def novelty(self, strains, forces=None):
        return np.zeros(len(strains)) if forces is None else forces.max(1) / 1000


def test_draws_whose_forces_are_unlike_all_are_withheld() -> None:
    strains, truth = np.zeros((4, 3)), np.zeros(2)
    forces = np.array([[900.0], [999.0], [1100.0], [9000.0]])
    answer = _at_sheet(Heavy(), Twin(strains, forces, None, truth), np.ones(2))
    assert answer.withheld == 0.5
