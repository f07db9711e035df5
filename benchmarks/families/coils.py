"""Coils that are known, measured with noise, and what network and engine say of them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept import Kept
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.validation import Found
from hpc_jobs.dataset.pack import given_values
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TEST
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.scout import SCOUT, with_output_times
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.by_fem import answer_by_fem, sharpened
from hpc_jobs.identification.family_answer import (
    found_quantities,
    network_knowledge,
    strain_reached,
)
from hpc_jobs.identification.mesh_bias import mesh_bias_of
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.outside import MOST_SIMULATIONS
from hpc_jobs.identification.quantities import quantities_of
from hpc_jobs.learning.models.trained_model import TrainedModel
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import as_told

STRESSES, R_VALUES = QUANTITIES[:2], QUANTITIES[3:6]
"""Of the angles; the biaxial ones are hardly seen."""

FloatArray = NDArray[np.float64]
Answerer = Callable[[Measurement], dict[str, Found]]
"""Quantities by name, stresses in MPa, each with its interval; empty: no answer."""


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
    campaign: Campaign,
    parameters: FloatArray,
    material: Material,
    specimens: Specimens,
    scout: Mesh = SCOUT,
) -> Coil | None:
    """Simulate a coil at its own output times, found on the scout's mesh; none if it cannot be."""
    timed, reason = with_output_times(parameters, material, specimens, scout)
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


def measured(campaign: Campaign, coil: Coil, known: Mapping[str, Known]) -> Measurement:
    """Return what a test house would hand over: specimens as drawn, nothing of the truth."""
    header = MeasurementHeader(
        name="coil",
        source="simulated",
        knowledge=dict(known),
        specimens=as_told(coil.specimens),
        noise=campaign.noise,
    )
    return Measurement(header=header, strains=coil.strains, forces=coil.forces)


def by_network(model: TrainedModel, campaign: Campaign) -> Answerer:
    """Ask the network alone: one lookup."""

    def ask(measurement: Measurement) -> dict[str, Found]:
        header, forces = measurement.header, measurement.forces
        assert forces is not None
        told = network_knowledge(given_values(campaign), header)
        inputs = (measurement.strains[None], forces[None], told if told.size else None)
        [answer], (low, high) = model.predict(*inputs), model.intervals(*inputs)
        own = len(campaign.targets)
        reached = strain_reached(measurement.strains, header.specimens, header.noise.strain)
        return found_quantities(
            model.targets[own:], answer[own:], low[0][own:], high[0][own:], reached
        )

    return ask


def by_surrogate(identifier: FamilyIdentifier) -> Answerer:
    """Ask the surrogate alone: its posterior under the box's law, no simulation."""

    def ask(measurement: Measurement) -> dict[str, Found]:
        return dict(identifier.refine(measurement).found)

    return ask


def by_campaign(identifier: FamilyIdentifier, refinement: int, *, examine: bool = True) -> Answerer:
    """Ask as a campaign's identify job does, on a mesh so many times finer besides.

    What the surrogate withholds, as a sheet beyond the box, the engine is asked alone, as there.
    """
    own = identifier.campaign.validation
    validation = own.model_copy(update={"mesh_refinement": refinement})
    campaign = identifier.campaign.model_copy(update={"validation": validation})
    bias = mesh_bias_of(campaign)

    def ask(measurement: Measurement) -> dict[str, Found]:
        first = identifier.refine(measurement)
        if first.parameters is None:
            begin = identifier.start(measurement)
            return dict(answer_by_fem(campaign, measurement, bias, begin).estimate.found)
        better = sharpened(campaign, measurement, first, bias)
        found = better.estimate
        if examine:
            found = with_examination(campaign, measurement, found, better.bias)
        return dict(found.found)

    return ask


def remembered(kept: Kept, who: str, ask: Answerer) -> Answerer:
    """Keep answers by what was measured: a run that was cut asks nothing twice."""

    def said(measurement: Measurement) -> dict[str, list[float]]:
        return {name: [one.value, one.low, one.high] for name, one in ask(measurement).items()}

    def asked(measurement: Measurement) -> dict[str, Found]:
        known = sorted(measurement.header.knowledge.items())
        digest = hashlib.sha256(measurement.strains.tobytes() + repr(known).encode())
        if measurement.forces is not None:
            digest.update(measurement.forces.tobytes())
        found = kept.once(f"{who}: {digest.hexdigest()[:16]}", partial(said, measurement))
        return {
            name: Found(value=value, low=low, high=high)
            for name, (value, low, high) in found.items()
        }

    return asked


def by_engine(identifier: FamilyIdentifier) -> Answerer:
    """Ask the engine, from the surrogate's nearest sheet on: what a campaign's refinement does."""
    campaign = identifier.campaign

    def ask(measurement: Measurement) -> dict[str, Found]:
        start = identifier.start(measurement)
        begin = None if start is None else (start[0], None)
        estimate = answer_by_fem(
            campaign, measurement, mesh_bias_of(campaign), begin, 2 * MOST_SIMULATIONS
        ).estimate
        return dict(estimate.found)

    return ask


def mechanical(found: Mapping[str, Found]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mechanical values (7,), and the ends of their intervals."""
    seven = [found[name] for name in QUANTITIES]
    rows = [[one.value, one.low, one.high] for one in seven]
    value, low, high = np.array(rows).T
    return value, low, high


def exactly(material: Material) -> dict[str, Known]:
    """Exponent and Young's modulus, as if they were known exactly."""
    return {
        "exponent": (material.exponent, 0.0),
        "youngs_modulus_mpa": (material.youngs_modulus_mpa, 0.0),
    }


def columns_of(names: tuple[str, ...]) -> list[int]:
    """Where quantities stand among QUANTITIES."""
    return [QUANTITIES.index(name) for name in names]
