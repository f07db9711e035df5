"""Stress and strain of a tensile test's file: which channels, which units, which cross-section."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.machine import MachineFile

Values = NDArray[np.float64]

METALS_GPA = (35.0, 240.0)  # of Young's modulus: magnesium to steel
PERCENT_ABOVE = 1.5  # a strain above is in percent: no sheet stretches to two and a half times
STRESS_UNITS = {"MPa": 1.0, "GPa": 1e3, "psi": 6.894757e-3, "ksi": 6.894757, "kN/mm2": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of the straight part; what is None is taken from the file's head."""

    width_mm: float | None = None
    thickness_mm: float | None = None
    gauge_mm: float | None = None


UNKNOWN = Sizes()
"""As the head of the file names them."""


def check_sign(machine: MachineFile) -> None:
    """Refuse compression, which a tensile test does not have."""
    name = next((n for n in ("stress", "force") if n in machine.channels), None)
    if name is None:
        machine.need("stress" if "stress" in machine.dead else "force")
        return
    values = machine.channels["stress" if name == "stress" else "force"]
    if values.max() < abs(values.min()):
        raise BadInput(
            f"{machine.path}: {name} goes from {values.min():.4g} to {values.max():.4g} "
            f"{'MPa' if name == 'stress' else 'N'}, so it is a compression test, no tensile test "
            "(or tension counts as negative: name the columns by hand, with --sign -1)"
        )


def sizes_of(machine: MachineFile, given: Sizes) -> Sizes:
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


def stress_of(
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


def strain_of(
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


def check_unit(machine: MachineFile, modulus_mpa: float) -> None:
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
