"""The forward surrogate inverted, as a rival that networks are judged beside."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.dataset.dataset import Dataset, Examples
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.forward.records import LARGEST_FIT, ForwardRecords
from hpc_jobs.forward.surrogate import fit_surrogate
from hpc_jobs.identification.posterior import refine

FloatArray = NDArray[np.float64]


def surrogate_rival(dataset: Dataset, examples: Examples, forces: bool) -> FloatArray:
    """Most probable targets (n, targets), min-max units, behind a dataset's noisy examples."""
    facts = dataset.facts
    names = (PackedFields.PARAMETERS, PackedFields.STRAINS, PackedFields.FORCES)
    parameters, strains, pulls = dataset.train.gather(names, dataset.fit_sample(LARGEST_FIT))
    low, high = np.array(facts.scaler.low), np.array(facts.scaler.high)
    records = ForwardRecords(parameters, strains, pulls if forces else None)
    noise = facts.noise_strain, facts.noise_force_relative
    surrogate = fit_surrogate(records, (low, high), noise)
    found = refine(surrogate, examples.strains, examples.forces if forces else None)
    return np.asarray((found.parameters - low) / (high - low))


RIVALS = {"surrogate": surrogate_rival}
"""Names of the methods that every test report shows beside a network and the regressions."""
