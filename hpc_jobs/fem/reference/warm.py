"""Compile all kernels, which happens when their modules are imported, and run them once."""

from dataclasses import dataclass

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.fem.kernel import KERNELS
from hpc_jobs.fem.materials import MATERIALS, yield_locus
from hpc_jobs.fem.reference import simulation


@dataclass(frozen=True, slots=True)
class Warmth:
    """How many kernels there are, and how many of them were not on disk."""

    kernels: int
    compiled: int


def warm(campaign: Campaign) -> Warmth:
    """Load or compile everything that a record and a design of this campaign need."""
    family = campaign.family
    material = family.material_of(family.nominal)  # any will do
    parameters, _ = MATERIALS[material.yield_function].examples[0]
    specimens = campaign.specimens.model_copy(update={"mesh": Mesh(along=8, across=4)})
    simulation.simulate(np.array(parameters), material, specimens)
    yield_locus.alpha_from_tests(np.ones(4), np.ones(4), material.exponent)
    compiled = sum(sum(kernel.stats.cache_misses.values()) for kernel in KERNELS)
    return Warmth(kernels=len(KERNELS), compiled=compiled)
