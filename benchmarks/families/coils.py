"""Coils that are known, measured with noise, and what the family's network says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Known
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.dataset.pack import given_values
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TEST
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.quantities import quantities_of
from hpc_jobs.learning.models.trained_model import TrainedModel

STRESSES, R_VALUES = QUANTITIES[:2], QUANTITIES[3:6]
"""Of the angles; the biaxial ones are hardly seen."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Coil:
    """A sheet, the specimens cut from it, and what they show without noise."""

    parameters: FloatArray  # of the yield function, in the material's order
    material: Material
    specimens: Specimens  # with their own nuisances and output times
    strains: FloatArray
    forces: FloatArray

    @property
    def truth(self) -> FloatArray:
        """Mechanical values (7,), in the order of QUANTITIES."""
        found = quantities_of(self.parameters, self.material)
        return np.array([found[name] for name in QUANTITIES])

    def noisy(self, campaign: Campaign, seed: int) -> "Coil":
        """Return it as it is measured."""
        random, noise = np.random.default_rng(seed), campaign.noise
        strains = self.strains + noise.strain * random.standard_normal(self.strains.shape)
        gain = 1 + noise.force_relative * random.standard_normal(self.forces.shape)
        return replace(self, strains=strains, forces=self.forces * gain)


def tested(
    campaign: Campaign, parameters: FloatArray, material: Material, specimens: Specimens
) -> Coil | None:
    """Simulate a coil at its own output times; none if it cannot be."""
    timed, reason = with_output_times(parameters, material, specimens)
    if reason:
        return None
    record = backend_of(campaign.solver)[1].simulate(parameters, material, timed)
    if record.status != "ok":
        return None
    return Coil(parameters, material, timed, record.strains, record.forces)


def drawn(campaign: Campaign, count: int, start: int) -> list[tuple[FloatArray, FloatArray]]:
    """Yield parameters and family coordinates of sheets that no test set has, nuisances 0."""
    found = draw(campaign, TEST, start, count)
    nuisance = list(campaign.family.columns("nuisance"))
    sheets = found.sheet.copy()
    sheets[:, nuisance] = 0
    return list(zip(found.parameters[:, list(campaign.columns)], sheets, strict=True))


def asked(
    model: TrainedModel, campaign: Campaign, coil: Coil, known: Mapping[str, Known]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mechanical values (7,) that the network answers, and the ends of their intervals."""
    given = given_values(campaign)
    values, deviations = list(given.centre), [np.inf] * len(given.names)
    for place, name in enumerate(given.names):
        if name in known:
            values[place], deviations[place] = known[name]
    told = np.array([[*values, *deviations]]) if given.names else None
    inputs = (coil.strains[None], coil.forces[None], told)
    [answer], (low, high) = model.predict(*inputs), model.intervals(*inputs)
    columns = [model.targets.index(name) for name in QUANTITIES]
    return answer[columns], low[0][columns], high[0][columns]


def exactly(material: Material) -> dict[str, Known]:
    """Exponent and Young's modulus, as if they were known exactly."""
    return {
        "exponent": (material.exponent, 0.0),
        "youngs_modulus_mpa": (material.youngs_modulus_mpa, 0.0),
    }


def columns_of(names: tuple[str, ...]) -> list[int]:
    """Where quantities stand among QUANTITIES."""
    return [QUANTITIES.index(name) for name in names]  # type: ignore[arg-type]
