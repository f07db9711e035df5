"""The sheet to compare a measurement with, where a campaign fixes none: one of similar hardening.

How far the ends have moved when two lines of the field have depends on how soon a sheet localises
in its notch, so on its hardening. A family's middle may be far from the sheet that was measured:
the isotropic sheet of a Swift curve whose force, against the extension of the field, looks most
like the measured one is near enough. Nothing is answered by it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.measurement.isotropic import Curve, Expected

Values = NDArray[np.float64]
Forces = Callable[[Curve], Values]

EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.26)  # of Swift's law, most sheets
PRESTRAIN = 0.002
START_MPA = 400.0  # k(.05) to begin with; the measured force sets it
PASSES = 2  # the force is nearly in proportion to the level
FEWEST = 6  # loaded frames
LOADED = 0.1  # of the largest force


@dataclass(frozen=True, slots=True, eq=False)
class Resemblance:
    """The isotropic sheet that is most like the measured one."""

    expected: Expected
    curve: Curve
    exponent: float  # of Swift's law
    level_mpa: float  # k at a plastic strain of .05
    misfit: float  # rms of the forces, relative to the largest
    travel_sd: float = 0.0  # relative: by how much neighbours tell the ends' displacement otherwise

    def __str__(self) -> str:
        return (
            f"compared with an isotropic sheet of k(.05) = {self.level_mpa:.0f} MPa and a "
            f"hardening exponent of {self.exponent:.2g}, whose force is most like the measured one "
            f"(misfit {self.misfit:.1%})"
        )


def resembling(
    expected: Expected,
    half_length_mm: float,
    extensions: Values,
    forces: Forces,
    largest_n: float,
) -> Resemblance:
    """Choose the sheet by extensions (frames,) mm, NaN where unknown, and forces.

    forces(curve) are those of the frames when the clocks are joined by a curve: the moment of the
    knee and the hardening are told by the same frames. largest_n is the largest force. Raises
    BadInput where no sheet is alike.
    """

    def tried_with(exponent: float) -> Resemblance:
        return _of_exponent(expected, exponent, half_length_mm, extensions, forces, largest_n)

    tried, reason = list[Resemblance](), ""
    for exponent in EXPONENTS:
        try:
            tried.append(tried_with(exponent))
        except BadInput as error:
            reason = str(error)
    if not tried:
        raise BadInput(reason)
    best = int(np.argmin([one.misfit for one in tried]))
    found = min(tried[best], tried_with(_lowest(tried, best)), key=lambda one: one.misfit)
    at = found.curve.displacements[len(found.curve.displacements) // 2 :]
    near = [tried[i].curve for i in (best - 1, best + 1) if 0 <= i < len(tried)]
    told = [other.displacement_at(found.curve.extension_at(at)) for other in near]
    # The exponent is found to about half a step of the list
    sd = max(float(np.sqrt(np.mean((one / at - 1) ** 2))) for one in told) / 2
    return replace(found, travel_sd=sd)


def _lowest(tried: list[Resemblance], best: int) -> float:
    """Exponent where a parabola through the least misfit and its neighbours is lowest."""
    if not 0 < best < len(tried) - 1:
        return tried[best].exponent
    part = tried[best - 1 : best + 2]
    exponents = [one.exponent for one in part]
    a, b, _ = np.polyfit(exponents, [one.misfit**2 for one in part], 2)
    return float(np.clip(-b / (2 * a), exponents[0], exponents[-1]))


def _rising(extensions: Values, forces: Values) -> NDArray[np.bool_]:
    """Frames of the loaded specimen, up to its largest force."""
    known = np.isfinite(extensions) & np.isfinite(forces)
    if known.any():
        top = int(np.nanargmax(np.where(known, forces, -np.inf)))
        known &= (np.arange(len(forces)) <= top) & (forces > LOADED * forces[top])
    if known.sum() < FEWEST:
        raise BadInput(
            f"{int(known.sum())} frames of the loaded specimen have a force; {FEWEST} are needed "
            "to find its hardening: record more often, or correct synchronisation"
        )
    return known


def _of_exponent(
    expected: Expected,
    exponent: float,
    half_length_mm: float,
    extensions: Values,
    forces: Forces,
    largest_n: float,
) -> Resemblance:
    """Return the sheet of an exponent, its level set by the largest force; raises BadInput."""
    level = START_MPA
    for _ in range(PASSES):
        sheet = replace(expected, chosen=_sheet(expected.material, exponent, level))
        curve = sheet.curve(half_length_mm)
        level *= largest_n / curve.forces.max()
    measured = forces(curve)
    use = _rising(extensions, measured)
    like, measured = curve.force_at(extensions[use]), measured[use]
    gain = float(like @ measured / (like @ like))
    misfit = float(np.sqrt(np.mean((measured - gain * like) ** 2)) / measured.max())
    level *= curve.forces.max() / largest_n  # that of the curve
    return Resemblance(sheet, curve, exponent, level, misfit)


def _sheet(material: Material, exponent: float, level_mpa: float) -> Material:
    strength = level_mpa / (PRESTRAIN + LEVEL_STRAIN) ** exponent
    curve = Swift(strength_mpa=strength, prestrain=PRESTRAIN, exponent=exponent)
    return material.model_copy(update={"hardening": curve})
