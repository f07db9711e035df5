"""What is reported of a family's sheet: quantities with intervals, and the sheet to simulate again.

A network and the surrogate come to it by different ways; what is said of a sheet is the same.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import is_log_stress, strain_of, stress_name
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.validation import Estimate, Found
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.forward.natural import QUANTITIES, Natural

FloatArray = NDArray[np.float64]

FIRST_SEEN = 0.001
"""Plastic strain below which a curve's law speaks, not the specimens.

A dual-phase steel's k may rise by a third from 0 to .0005 (DP780: 318 to 437 MPa), and no patch
shows so little.
"""
SIGNAL = 3.0
"""Standard deviations of noise that a strain must exceed to count as reached."""


def is_seen(strain: float, reached: float) -> bool:
    """Whether specimens tell of k at a plastic strain: between FIRST_SEEN and the largest."""
    return FIRST_SEEN <= strain <= reached


def strain_reached(strains: FloatArray, specimens: Specimens, noise: float) -> float:
    """Largest equivalent strain of any patch, less what noise may feign: k(p) is seen up to it."""
    axial, lateral = strains.reshape(specimens.strain_shape)
    equivalent = np.sqrt(4 / 3 * (axial**2 + lateral**2 + axial * lateral))
    return float(np.nanmax(equivalent)) - SIGNAL * noise


def network_knowledge(given: GivenValues, header: MeasurementHeader) -> FloatArray:
    """Values and standard deviations of what a network may be told, then displacements, mm.

    Returns (1, 2 g + d); deviations are infinite where nothing is known. Raises BadInput where a
    network must know the output times, and the measurement does not say them.
    """
    values, deviations = list(given.centre), [np.inf] * len(given.names)
    for place, name in enumerate(given.names):
        if name in header.knowledge:
            values[place], deviations[place] = header.knowledge[name]
    ends: list[float] = []
    if given.displacements:
        if not header.specimens.is_timed:
            raise BadInput(
                f"measurement {header.name} does not say at which displacements its output times "
                "lie; import it again with the force-displacement curves"
            )
        ends = [test.displacements_mm[i] for test in header.specimens.tests for i in (0, -1)]
    return np.array([[*values, *deviations, *ends]])


def found_quantities(
    names: Sequence[str], answers: FloatArray, low: FloatArray, high: FloatArray, reached: float
) -> dict[str, Found]:
    """Name the answers (n,) with their intervals; stresses in MPa where they are seen."""
    found = {}
    for name, value, lower, upper in zip(names, answers, low, high, strict=True):
        if is_log_stress(name):
            if not is_seen(strain_of(name), reached):
                continue
            name = stress_name(strain_of(name))
            value, lower, upper = np.exp([value, lower, upper])
        found[name] = Found(value=float(value), low=float(lower), high=float(upper))
    return found


def coordinates_of(
    campaign: Campaign, knowledge: Mapping[str, Known], named: Mapping[str, float]
) -> dict[str, float]:
    """Return the family's coordinates, to simulate the sheet again.

    From what was found (`named`: targets by name), else from what is known, else the middle of the
    box; a curve from its stresses.
    """
    family = campaign.family
    told = dict(zip(family.names, family.nominal, strict=True))
    told |= {name: value for name, (value, _) in knowledge.items() if name in told}
    told |= {name: named[name] for name in told if name in named}
    logs = {strain_of(name): value for name, value in named.items() if is_log_stress(name)}
    if not logs:
        return told
    strains = sorted(logs)
    rising = np.maximum.accumulate([logs[strain] for strain in strains])  # no sheet softens
    level = float(rising[strains.index(LEVEL_STRAIN)])
    modulus = told.get("youngs_modulus_mpa") or float(campaign.sheet.youngs_modulus_mpa)  # type: ignore[arg-type]
    for one in family.coordinates:
        if one.name == "k05_over_e":
            told[one.name] = float(np.exp(level)) / modulus
        elif one.plastic_strain is not None:
            told[one.name] = float(rising[strains.index(one.plastic_strain)]) - level
    return told


def material_of(campaign: Campaign, estimate: Estimate) -> Material:
    """Return the material, but for the targets, that an estimate is of."""
    if campaign.family.is_single_sheet:
        return campaign.material
    return campaign.family.material_of([estimate.coordinates[n] for n in campaign.family.names])


def specimens_of(campaign: Campaign, estimate: Estimate, measured: Specimens) -> Specimens:
    """Return the campaign's specimens as an estimate has them, drawn at the measured times."""
    family = campaign.family
    if family.is_single_sheet:
        return campaign.specimens
    timed = campaign.specimens
    if measured.is_timed and measured.pieces:
        timed = timed.model_copy(update={"pieces": measured.pieces})
    return family.specimens_of([estimate.coordinates[name] for name in family.names], timed)


def log_stress_draws(campaign: Campaign, values: FloatArray) -> dict[float, FloatArray]:
    """Return ln k(p) in MPa of draws (n, natural coordinates), physical, by plastic strain.

    Empty for a campaign whose curves have no nodes.
    """
    names = Natural.of(campaign).names
    if "k05_over_e" not in names:
        return {}
    modulus: FloatArray | float
    if "youngs_modulus_mpa" in names:
        modulus = values[:, names.index("youngs_modulus_mpa")]
    else:
        modulus = float(campaign.sheet.youngs_modulus_mpa)  # type: ignore[arg-type]
    level = np.log(values[:, names.index("k05_over_e")] * modulus)
    found = {LEVEL_STRAIN: level}
    for column, name in enumerate(names):
        if name.startswith("log_k_over_k05@"):
            found[float(name.partition("@")[2])] = level + values[:, column]
    return dict(sorted(found.items()))


def asked_columns(campaign: Campaign, header: MeasurementHeader) -> list[int]:
    """Natural coordinates that are reported: mechanical values, and scalars not known exactly."""
    names = Natural.of(campaign).names
    scalars = ("exponent", "youngs_modulus_mpa")
    known = {name for name, (_, sd) in header.knowledge.items() if sd == 0}
    asked = [*QUANTITIES, *(name for name in scalars if name in names and name not in known)]
    return [names.index(name) for name in asked]
