"""A plain tensile test as its standards evaluate it: ISO 6892 and, with width, ISO 10113.

Engineering stress and strain, or true ones, become E, Rp0.2, Rm, Ag and r, and the true curve of
stress against plastic strain that a campaign needs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.machine import MachineColumns, MachineFile, read_machine

Values = NDArray[np.float64]
Kind = Literal["engineering", "true"]

ELASTIC = (0.1, 0.4)  # of the stress at 0.5 % strain; the range of the straight line
METALS_GPA = (35.0, 240.0)  # of Young's modulus: magnesium to steel
OFFSET = 0.002  # plastic strain of the proof stress
PERCENT_ABOVE = 1.5  # a strain above is in percent: no sheet stretches to two and a half times
R_RANGE = (0.02, 0.15)  # plastic strains over which width follows length
FEWEST = 30  # rows
PEAK = 0.002  # of the largest stress; it must fall by more to have been a maximum
CELL = 0.005  # relative deviation of force and area of a usual test
SPIKE = 0.3  # of the largest stress, by which one value is off all its neighbours
MOST_SPIKES = 0.02  # of the rows; with more it is no spike
STRESS_UNITS = {"MPa": 1.0, "GPa": 1e3, "psi": 6.894757e-3, "ksi": 6.894757, "kN/mm2": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of the straight part; what is None is taken from the file's head."""

    width_mm: float | None = None
    thickness_mm: float | None = None
    gauge_mm: float | None = None


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
    sizes: Sizes = Sizes(),
    stress_unit: str | None = None,
    strain_percent: bool | None = None,
    columns: MachineColumns | None = None,
) -> TensileResult:
    """Read and evaluate a tensile test; raises BadInput naming what the file lacks."""
    machine = read_machine(path, columns)
    notes = list(machine.notes)
    if machine.unknown:
        notes.append(f"not read: {', '.join(machine.unknown)}")
    _check_sign(machine)
    sizes = _sizes(machine, sizes)
    stress, area_known = _stress(machine, sizes, stress_unit, notes)
    strain, of_travel = _strain(machine, sizes, strain_percent, notes)
    if len(stress) < FEWEST:
        raise BadInput(f"{path}: {len(stress)} rows; a tensile curve has at least {FEWEST}")
    if strain[-1] < strain[0]:
        raise BadInput(
            f"{path}: strain goes from {strain[0]:.4g} to {strain[-1]:.4g}; are rows in reverse "
            "order, or is it the unloading?"
        )
    if kind == "true":
        strain, stress = np.expm1(strain), stress * np.exp(-strain)
    strain, stress = _without_spikes(strain, stress, notes)
    result = evaluate(strain, stress, of_travel=of_travel, notes=notes)
    if not of_travel and not area_known and result.youngs_modulus_mpa is not None:
        _check_unit(machine, result.youngs_modulus_mpa)
    r_value = _r_value(machine, strain, result, kind)
    return _with(result, r_value)


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


def _check_sign(machine: MachineFile) -> None:
    """Refuse compression, which a tensile test does not have."""
    name = next((n for n in ("stress", "force") if n in machine.channels), None)
    if name is None:
        machine.need("force")
        return
    values = machine.channels["stress" if name == "stress" else "force"]
    if values.max() < abs(values.min()):
        raise BadInput(
            f"{machine.path}: {name} goes from {values.min():.4g} to {values.max():.4g} "
            f"{'MPa' if name == 'stress' else 'N'}, so it is a compression test, no tensile test "
            "(or tension counts as negative: name the columns by hand, with --sign -1)"
        )


def _sizes(machine: MachineFile, given: Sizes) -> Sizes:
    """Sizes that were given, or that the head of the file names."""
    found: dict[str, float] = {}
    for name, (value, unit) in machine.head.items():
        words = name.lower()
        if unit.lower() not in ("mm", ""):
            continue
        if any(w in words for w in ("width", "breite", "largeur")) and "change" not in words:
            found.setdefault("width_mm", value)
        elif any(w in words for w in ("thickness", "dicke", "épaisseur")):
            found.setdefault("thickness_mm", value)
        elif any(w in words for w in ("gage length", "gauge length", "messlänge")):
            found.setdefault("gauge_mm", value)
    names = ("width_mm", "thickness_mm", "gauge_mm")
    return Sizes(**{n: g if (g := getattr(given, n)) is not None else found.get(n) for n in names})


def _stress(
    machine: MachineFile, sizes: Sizes, unit: str | None, notes: list[str]
) -> tuple[Values, bool]:
    """Stress in MPa, and whether its unit is beyond doubt."""
    if "stress" in machine.channels or "stress" in machine.dead:
        (stress,) = machine.need("stress")
        said = bool(machine.units["stress"])
        if unit is not None and said:
            raise BadInput(
                f"{machine.path}: stress is in {machine.units['stress']} by its head, and "
                f"--stress-unit says {unit}; leave it out"
            )
        if unit is not None and not said:
            notes.append(f"stress is in {unit}, as given")
            return stress * STRESS_UNITS[unit], True
        return stress, said
    (force,) = machine.need("force")
    if sizes.width_mm is None or sizes.thickness_mm is None:
        missing = [n for n in ("width_mm", "thickness_mm") if getattr(sizes, n) is None]
        raise BadInput(
            f"{machine.path}: force, but the head names no {' and '.join(missing)}; give "
            + " and ".join(f"--{name.replace('_mm', '')} MM" for name in missing)
        )
    area = sizes.width_mm * sizes.thickness_mm
    notes.append(f"cross-section {sizes.width_mm:g} x {sizes.thickness_mm:g} mm")
    return force / area, bool(machine.units["force"])


def _strain(
    machine: MachineFile, sizes: Sizes, percent: bool | None, notes: list[str]
) -> tuple[Values, bool]:
    """Strain of 1, and whether it is no more than the crosshead's travel."""
    if "strain" in machine.channels or (
        "strain" in machine.dead and "travel" not in machine.channels
    ):
        (strain,) = machine.need("strain")
        unit = machine.units["strain"].lower()
        if unit in ("mm", "um", "µm", "in", "m", "cm"):
            return strain / _gauge(machine, sizes), False
        if unit == "" and (percent or (percent is None and strain.max() > PERCENT_ABOVE)):
            notes.append(
                "strain is in percent"
                + ("" if percent else f", since it goes up to {strain.max():.4g}")
            )
            return strain / 100, False
        return strain, _repeats_travel(machine, strain, notes)
    (travel,) = machine.need("travel")
    return (travel - travel[0]) / _gauge(machine, sizes), True


def _repeats_travel(machine: MachineFile, strain: Values, notes: list[str]) -> bool:
    """Whether a strain column is the travel over a length, and so holds the machine."""
    travel = machine.channels.get("travel")
    if travel is None or not np.ptp(travel) or not np.ptp(strain):
        return False
    ratio = np.ptp(travel) / np.ptp(strain)
    if np.abs((travel - travel[0]) - ratio * (strain - strain[0])).max() > 1e-3 * np.ptp(travel):
        return False
    notes.append(f"the strain column is the travel over {ratio:.4g} mm")
    return True


def _gauge(machine: MachineFile, sizes: Sizes) -> float:
    if sizes.gauge_mm is None:
        raise BadInput(
            f"{machine.path}: an elongation in mm, but the head names no gauge length; give "
            "--gauge MM"
        )
    return sizes.gauge_mm


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


def _without_spikes(strain: Values, stress: Values, notes: list[str]) -> tuple[Values, Values]:
    """Leave out single values far from their neighbours, and note it."""
    around = median_filter(stress, size=5, mode="nearest")
    wrong = np.abs(stress - around) > SPIKE * float(np.abs(around).max())
    if not wrong.any() or wrong.sum() > MOST_SPIKES * len(stress):
        return strain, stress
    first = int(np.argmax(wrong))
    notes.append(
        f"{int(wrong.sum())} values left out as spikes, the first {stress[first]:.4g} MPa in row "
        f"{first + 1}, where its neighbours are {around[first]:.4g} MPa"
    )
    return strain[~wrong], stress[~wrong]


def _check_unit(machine: MachineFile, modulus_mpa: float) -> None:
    """Refuse what has no unit and whose modulus is no metal's, naming the unit that would be."""
    low, high = METALS_GPA
    if low <= modulus_mpa / 1000 <= high:
        return
    of_force = "stress" not in machine.channels
    units = {"kN": 1e3, "lbf": 4.448} if of_force else STRESS_UNITS
    fits = [
        f"{unit} ({scale * modulus_mpa / 1000:.3g} GPa)"
        for unit, scale in units.items()
        if low <= scale * modulus_mpa / 1000 <= high
    ]
    usual, remedy = "MPa", "give --stress-unit"
    if of_force:
        usual, remedy = (
            "N",
            "write the unit of force into the header, or correct width and thickness",
        )
    raise BadInput(
        f"{machine.path}: the header names no unit of {'force' if of_force else 'stress'}, and in "
        f"{usual} E would be {modulus_mpa / 1000:.3g} GPa, no sheet metal's; {remedy}"
        + (f": it would be a metal's in {', '.join(fits)}" if fits else "")
    )


def _r_value(
    machine: MachineFile, strain: Values, result: TensileResult, kind: Kind
) -> tuple[float, float] | None:
    """Take r from width strain: the slope of plastic width strain over plastic thickness strain."""
    if "width" not in machine.channels:
        return None
    width = machine.channels["width"]
    if len(width) != len(result.stress):  # a spike was left out
        return None
    if machine.units["width"].lower() in ("mm", "um", "µm", "m", "cm", "in"):
        sizes = _sizes(machine, Sizes())
        if sizes.width_mm is None:
            return None
        width = width / sizes.width_mm
    width = np.where(np.median(width) > 0, -width, width)
    across = width if kind == "true" else np.log1p(width)
    along = np.log1p(strain)
    stress = result.stress * (1 + result.strain)
    along = along - stress / result.slope_mpa
    across = across + 0.3 * stress / result.slope_mpa
    low, high = R_RANGE
    peak = int(np.argmax(result.stress))
    use = (along >= low) & (along <= high) & (np.arange(len(along)) <= peak)
    if use.sum() < 10:
        return None
    slope, covariance = np.polyfit(along[use], across[use], 1, cov=True)
    share = -float(slope[0])
    if not 0 < share < 1:
        return None
    return share / (1 - share), float(np.sqrt(covariance[0, 0])) / (1 - share) ** 2


def _with(result: TensileResult, r_value: tuple[float, float] | None) -> TensileResult:
    if r_value is None:
        return result
    return TensileResult(
        **{n: getattr(result, n) for n in TensileResult.__slots__ if n != "r_value"},
        r_value=r_value,
    )
