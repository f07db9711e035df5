"""Curves that no node of the family can follow: what they move the answer's r-values by.

Each sheet of the box is simulated with a curve of another form through its k(0) and k(.05), and
with the family's own curve through the same nodes; the difference between the two errors, without
noise, is what the form costs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.coils import (
    R_VALUES,
    Answerer,
    columns_of,
    drawn,
    exactly,
    measured,
    mechanical,
    tested,
)
from benchmarks.families.goals import judged
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Hardening, Material, Nodes, Swift, Voce
from hpc_jobs.design.family import coordinates_of
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array

GOAL = 0.01
START = 6000  # of the test stream
WAVE, PLATEAU = 0.005, 0.01
DENSE = (0.0, 0.002, 0.005, 0.009, 0.014, 0.021, 0.03, 0.043, 0.06, 0.085, 0.12, 0.17)

FloatArray = NDArray[np.float64]


def swift(first: float, level: float) -> Hardening:
    """Through k(0) and k(.05), with a prestrain of .004."""
    exponent = np.log(level / first) / np.log(0.054 / 0.004)
    return Swift(strength_mpa=first / 0.004**exponent, prestrain=0.004, exponent=exponent)


def voce(first: float, level: float) -> Hardening:
    """Through k(0) and k(.05), at a rate of 15."""
    return Voce(
        yield_stress_mpa=first, saturation_mpa=(level - first) / (1 - np.exp(-0.75)), rate=15
    )


def _through(stresses: FloatArray) -> Hardening:
    rising = np.maximum.accumulate(stresses)
    return Nodes(plastic_strains=DENSE, stresses_mpa=tuple(rising.tolist()))


def _read(law: Hardening) -> FloatArray:
    array = hardening_array(law)
    return np.array([flow_stress(array, strain)[0] for strain in DENSE])


def mixed(first: float, level: float) -> Hardening:
    """Half Swift, half Voce."""
    return _through((_read(swift(first, level)) + _read(voce(first, level))) / 2)


def wavy(first: float, level: float) -> Hardening:
    """Swift, up and down by half a per cent."""
    wave = WAVE * np.sin(np.arange(len(DENSE)) * np.pi / 2)
    return _through(_read(swift(first, level)) * (1 + wave))


def plateau(first: float, level: float) -> Hardening:
    """Swift after a plateau at first yield."""
    moved = _read(swift(first, level))
    return _through(np.where(np.array(DENSE) < PLATEAU, moved[2], moved))


FORMS: dict[str, Callable[[float, float], Hardening]] = {
    "Swift": swift, "Voce": voce, "mixed": mixed, "wavy by .5 %": wavy, "plateau": plateau,
}  # fmt: skip


def compare(who: str, ask: Answerer, campaign: Campaign, sheets: int) -> None:
    """Print the largest median move of an r-value by each form."""
    moves: dict[str, list[float]] = {form: [] for form in FORMS}
    for number, (parameters, sheet) in enumerate(drawn(campaign, sheets, START)):
        material = campaign.family.material_of(sheet.tolist())
        array = hardening_array(material.hardening)
        first, level = (flow_stress(array, strain)[0] for strain in (0.0, 0.05))
        for form, made in FORMS.items():
            move = _moved(ask, campaign, parameters, material, made(first, level))
            said = (
                "cannot be tested, or is not answered" if move is None else f"r moved by {move:.4f}"
            )
            print(f"{who}, sheet {number}, {form}: {said}", flush=True)
            if move is not None:
                moves[form].append(move)
    for form, found in moves.items():
        if found:
            judged(f"{who}: curve outside the law, {form}: r moved by (median of {len(found)})",
                   float(np.median(found)), GOAL)  # fmt: skip


def _moved(
    ask: Answerer,
    campaign: Campaign,
    parameters: FloatArray,
    material: Material,
    hardening: Hardening,
) -> float | None:
    """Largest difference of an r-value's error between a curve and the family's own next to it."""
    family = campaign.family
    true = material.model_copy(update={"hardening": hardening})
    values = coordinates_of(family, true, campaign.specimens).tolist()
    if family.defect(values):
        return None
    errors = []
    for one in (true, family.material_of(values)):
        coil = tested(campaign, parameters, one, campaign.specimens)
        if coil is None:
            return None
        found = ask(measured(campaign, coil, exactly(one)))
        if not found:
            return None
        errors.append((mechanical(found)[0] - coil.truth)[columns_of(R_VALUES)])
    return float(np.abs(errors[0] - errors[1]).max())
