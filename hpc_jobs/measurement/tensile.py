"""A plain tensile test as its standards evaluate it: ISO 6892 and, with width, ISO 10113.

Engineering stress and strain, or true ones, become E, Rp0.2, Rm, Ag and r, and the true curve of
stress against plastic strain that a campaign needs.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.machine import MachineColumns, MachineFile, read_machine
from hpc_jobs.measurement.tensile_channels import (
    METALS_GPA,
    UNKNOWN,
    Sizes,
    check_sign,
    check_unit,
    sizes_of,
    strain_of,
    stress_of,
)

Values = NDArray[np.float64]
Kind = Literal["engineering", "true"]

ELASTIC = (0.1, 0.4)  # of the stress at 0.5 % strain; the range of the straight line
OFFSET = 0.002  # plastic strain of the proof stress
R_RANGE = (0.02, 0.15)  # plastic strains over which width follows length
FEWEST = 30  # rows
FEWEST_OF_R = 10  # rows in that range
PEAK = 0.002  # of the largest stress; it must fall by more to have been a maximum
CELL = 0.005  # relative deviation of force and area of a usual test
SPIKE = 0.3  # of the largest stress, by which one value is off all its neighbours
MOST_SPIKES = 0.02  # of the rows; with more it is no spike


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TensileResult:
    """What a tensile test says; None where it does not say it, with the reason in notes."""

    strain: Values  # (n,) engineering, zero where the elastic line begins
    stress: Values  # (n,) engineering, MPa
    youngs_modulus_mpa: float | None
    slope_mpa: float  # of the elastic line, machine included where strain is travel
    proof_stress_mpa: float | None  # Rp0.2
    tensile_strength_mpa: float | None  # Rm
    uniform_strain: float | None  # Ag, plastic
    r_value: tuple[float, float] | None  # with its standard deviation
    plastic_strain: Values  # (m,) true, from 0
    true_stress: Values  # (m,) MPa
    stress_sd: Values  # (m,) MPa
    notes: tuple[str, ...] = field(default=())


def read_tensile(
    path: Path,
    *,
    kind: Kind = "engineering",
    sizes: Sizes = UNKNOWN,
    stress_unit: str | None = None,
    strain_percent: bool | None = None,
    columns: MachineColumns | None = None,
) -> TensileResult:
    """Read and evaluate a tensile test; raises BadInput naming what the file lacks."""
    machine = read_machine(path, columns)
    notes = list(machine.notes)
    if machine.unknown:
        notes.append(f"not read: {', '.join(machine.unknown)}")
    check_sign(machine)
    sizes = sizes_of(machine, sizes)
    stress, area_known = stress_of(machine, sizes, stress_unit, notes)
    strain, of_travel = strain_of(machine, sizes, strain_percent, notes)
    if len(stress) < FEWEST:
        raise BadInput(f"{path}: {len(stress)} rows; a tensile curve has at least {FEWEST}")
    if strain[-1] < strain[0]:
        raise BadInput(
            f"{path}: strain goes from {strain[0]:.4g} to {strain[-1]:.4g}; are rows in reverse "
            "order, or is it the unloading?"
        )
    if kind == "true":
        strain, stress = np.expm1(strain), stress * np.exp(-strain)
    sound = _without_spikes(stress, notes)
    strain, stress = strain[sound], stress[sound]
    result = evaluate(strain, stress, of_travel=of_travel, notes=notes)
    if not of_travel and not area_known and result.youngs_modulus_mpa is not None:
        check_unit(machine, result.youngs_modulus_mpa)
    r_value, why = _r_value(machine, sound, result, kind, sizes)
    return replace(result, r_value=r_value, notes=(*result.notes, *why))


def evaluate(
    strain: Values, stress: Values, *, of_travel: bool = False, notes: list[str] | None = None
) -> TensileResult:
    """Evaluate engineering stress (MPa) against engineering strain, (n,) each, in time order."""
    said = list(notes or ())
    slope, start = _elastic_line(strain, stress)
    strain = strain - start
    modulus: float | None = slope
    if of_travel:
        modulus = None
        said.append(
            f"strain is the crosshead's travel: the slope of {slope / 1000:.3g} GPa holds machine "
            "and grips, so E is not told; plastic strains are less that slope's"
        )
    elif not METALS_GPA[0] <= slope / 1000 <= METALS_GPA[1]:
        said.append(f"E of {slope / 1000:.3g} GPa is no sheet metal's: are units and gauge right?")
    offset = stress - slope * (strain - OFFSET)
    beyond = np.flatnonzero((offset < 0) & (strain > OFFSET))
    proof = None
    if len(beyond) and beyond[0] > 0:
        i = int(beyond[0])
        share = offset[i - 1] / (offset[i - 1] - offset[i])
        proof = float(stress[i - 1] + share * (stress[i] - stress[i - 1]))
    else:
        said.append("the curve ends before 0.2 % plastic strain, so Rp0.2 is not told")
    peak = int(np.argmax(stress))
    fell = stress[peak] - stress[peak:].min() > PEAK * stress[peak]
    uniform = float(strain[peak] - stress[peak] / slope) if fell else None
    if not fell:
        said.append(
            f"stress still rises at the end ({stress[-1]:.4g} MPa at {strain[-1]:.3g}), so Rm and "
            "Ag are not told"
        )
    plastic, true_stress = _true_curve(strain, stress, slope, peak)
    return TensileResult(
        strain=strain,
        stress=stress,
        youngs_modulus_mpa=modulus,
        slope_mpa=slope,
        proof_stress_mpa=proof,
        tensile_strength_mpa=float(stress[peak]) if fell else None,
        uniform_strain=uniform,
        r_value=None,
        plastic_strain=plastic,
        true_stress=true_stress,
        stress_sd=np.hypot(CELL * true_stress, _scatter(true_stress)),
        notes=tuple(said),
    )


def _elastic_line(strain: Values, stress: Values) -> tuple[float, float]:
    """Slope (MPa) of the straight part, and the strain at which its line meets zero stress."""
    first = int(np.argmax(strain >= strain[0] + 0.005)) or len(strain) - 1
    level = float(stress[: first + 1].max())
    low, high = (share * level for share in ELASTIC)
    top = int(np.argmax(stress >= high))
    inside = np.flatnonzero(stress[: top + 1] >= low)
    if len(inside) < 3 or np.ptp(strain[inside]) <= 0:
        raise BadInput(
            f"only {len(inside)} rows lie on the elastic line, between {low:.3g} and {high:.3g} "
            "MPa; export the curve with more rows, or see whether columns are swapped and the unit "
            "of strain is right"
        )
    slope, zero = np.polyfit(strain[inside], stress[inside], 1)
    if slope <= 0:
        raise BadInput("stress does not rise with strain at the start; are columns swapped?")
    return float(slope), float(-zero / slope)


def _true_curve(strain: Values, stress: Values, slope: float, peak: int) -> tuple[Values, Values]:
    """Return plastic strain, increasing, and true stress from first yield to the maximum."""
    true_strain = np.log1p(np.maximum(strain[: peak + 1], -0.5))
    true_stress = stress[: peak + 1] * (1 + strain[: peak + 1])
    plastic = true_strain - true_stress / slope
    start = int(np.argmax(plastic > 1e-4))
    plastic, true_stress = plastic[start:], true_stress[start:]
    rising = plastic > np.concatenate(([-np.inf], np.maximum.accumulate(plastic)[:-1]))
    return plastic[rising], true_stress[rising]


def _scatter(stress: Values) -> float:
    """Noise of the stress, MPa, by its third differences."""
    if len(stress) < 8:
        return 0.0
    return float(1.4826 * np.median(np.abs(np.diff(stress, 3))) / np.sqrt(20))


def _without_spikes(stress: Values, notes: list[str]) -> NDArray[np.bool_]:
    """Say which values (n,) are not far from all their neighbours, and note the others."""
    around = median_filter(stress, size=5, mode="nearest")
    wrong = np.abs(stress - around) > SPIKE * float(np.abs(around).max())
    if not wrong.any() or wrong.sum() > MOST_SPIKES * len(stress):
        return np.ones(len(stress), dtype=np.bool_)
    first = int(np.argmax(wrong))
    notes.append(
        f"{int(wrong.sum())} values left out as spikes, the first {stress[first]:.4g} MPa in row "
        f"{first + 1}, where its neighbours are {around[first]:.4g} MPa"
    )
    return np.asarray(~wrong)


def _r_value(
    machine: MachineFile,
    sound: NDArray[np.bool_],
    result: TensileResult,
    kind: Kind,
    sizes: Sizes,
) -> tuple[tuple[float, float] | None, list[str]]:
    """Take r from width strain, or say why not.

    It is the slope of plastic width strain over plastic thickness strain. sound (rows,) are the
    rows of the machine's file that result was evaluated from.
    """
    width, why = _width_strain(machine, sound, sizes)
    if width is None:
        return None, [why]
    if kind != "true" and width.min() <= -1:
        least = f"width strain goes to {width.min():.3g}"
        return None, [f"{least}, so r is not told: is it in percent?"]
    across = width if kind == "true" else np.log1p(width)
    stress = result.stress * (1 + result.strain)
    along = np.log1p(result.strain) - stress / result.slope_mpa
    across = across + 0.3 * stress / result.slope_mpa
    low, high = R_RANGE
    peak = int(np.argmax(result.stress))
    use = (along >= low) & (along <= high) & (np.arange(len(along)) <= peak)
    if use.sum() < FEWEST_OF_R:
        return None, [
            f"{int(use.sum())} rows lie at plastic strains of {low:g} to {high:g} before the "
            f"maximum, so r is not told: it takes {FEWEST_OF_R}"
        ]
    slope, covariance = np.polyfit(along[use], across[use], 1, cov=True)
    share = -float(slope[0])
    if not 0 < share < 1:
        return None, [
            f"width strain is {-share:.3g} of the strain along, so r is not told: are both in the "
            "same unit?"
        ]
    return (share / (1 - share), float(np.sqrt(covariance[0, 0])) / (1 - share) ** 2), []


def _width_strain(
    machine: MachineFile, sound: NDArray[np.bool_], sizes: Sizes
) -> tuple[Values | None, str]:
    """Strain across (n,), negative in tension, or why there is none."""
    if "width" in machine.dead:
        return None, f"{machine.dead['width']} is 0 in all rows, so r is not told"
    if "width" not in machine.channels:
        return None, "there is no column of width strain, so r is not told"
    width = machine.channels["width"][sound]
    if machine.units["width"].lower() in ("mm", "um", "µm", "m", "cm", "in"):
        if sizes.width_mm is None:
            return None, (
                "the width's change is a length, and the head names no width, so r is not told; "
                "give --width MM"
            )
        width = width / sizes.width_mm
    return np.where(np.median(width) > 0, -width, width), ""
