"""The sheet to compare a measurement with, where a campaign fixes none: one of similar hardening.

How far the ends have moved when two lines of the field have depends on how soon a sheet localises
in its notch, so on its hardening. A family's middle may be far from the sheet that was measured:
the isotropic sheet, of a Swift curve or of one that saturates, whose force, against the extension
of the field, looks most like the measured one is near enough. Nothing is answered by it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Hardening, Swift, Voce
from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.measurement.isotropic import Curve, Expected

Values = NDArray[np.float64]
Forces = Callable[[Curve], Values]

PRESTRAIN = 0.002
START_MPA = 400.0  # k(.05) to begin with; the measured force sets it
PASSES = 2  # of the best shapes: the force is nearly in proportion to the level
AS_GOOD = 1.3  # times the least misfit; shapes that fit so well say how surely it is found
LEAST_SD = 0.01  # relative, of a displacement told by a sheet that was chosen
FEWEST = 6  # loaded frames
LOADED = 0.1  # of the largest force


@dataclass(frozen=True, slots=True)
class Shape:
    """A hardening curve but for its level: Swift's, or one that saturates, as Voce's does."""

    exponent: float = 0.0  # of Swift's law
    gain: float = 0.0  # Q over s0, of Voce's
    rate: float = 0.0

    def curve(self, level_mpa: float) -> Hardening:
        """Return the curve whose k(.05) is the level."""
        if not self.rate:
            strength = level_mpa / (PRESTRAIN + LEVEL_STRAIN) ** self.exponent
            return Swift(strength_mpa=strength, prestrain=PRESTRAIN, exponent=self.exponent)
        start = level_mpa / (1 + self.gain * -np.expm1(-self.rate * LEVEL_STRAIN))
        return Voce(yield_stress_mpa=start, saturation_mpa=self.gain * start, rate=self.rate)

    def between(self) -> list["Shape"]:
        """Return shapes halfway to the next ones of the list."""
        if not self.rate:
            return [replace(self, exponent=max(self.exponent + step, 0.02)) for step in HALVES]
        return [
            *(replace(self, gain=self.gain * factor) for factor in (2**-0.5, 2**0.5)),
            *(replace(self, rate=self.rate * factor) for factor in (2**-0.5, 2**0.5)),
        ]

    def __str__(self) -> str:
        if self.rate:
            return f"Voce's curve that gains {self.gain:.0%} at a rate of {self.rate:.3g}"
        return f"a hardening exponent of {self.exponent:.2g}"


HALVES = (-0.025, 0.025)
SHAPES = (
    *(Shape(exponent=n) for n in (0.05, 0.1, 0.15, 0.2, 0.26)),
    *(Shape(gain=gain, rate=rate) for gain in (0.4, 0.8, 1.6, 3.2) for rate in (5.0, 10.0, 20.0)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Resemblance:
    """The isotropic sheet that is most like the measured one."""

    expected: Expected
    curve: Curve
    shape: Shape
    level_mpa: float  # k at a plastic strain of .05
    misfit: float  # rms of the forces, relative to the largest
    travel_sd: float = 0.0  # relative: by how much neighbours tell the ends' displacement otherwise

    def __str__(self) -> str:
        return (
            f"compared with an isotropic sheet of k(.05) = {self.level_mpa:.0f} MPa and "
            f"{self.shape}, whose force is most like the measured one (misfit {self.misfit:.1%})"
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

    def tried_with(shape: Shape, level_mpa: float, passes: int) -> Resemblance | None:
        try:
            return _of_shape(
                expected, shape, half_length_mm, extensions, forces, largest_n, level_mpa, passes
            )
        except BadInput as error:
            reasons.append(str(error))
            return None

    reasons, level, tried = list[str](), START_MPA, list[Resemblance]()
    for shape in SHAPES:
        one = tried_with(shape, level, 1 if tried else PASSES)
        if one is not None:
            tried.append(one)
            level = one.level_mpa
    if not tried:
        raise BadInput(reasons[-1])
    best = min(tried, key=lambda one: one.misfit)
    refined = [tried_with(one, level, PASSES) for one in (best.shape, *best.shape.between())]
    near = sorted(
        [one for one in (*refined, *tried) if one is not None], key=lambda one: one.misfit
    )
    found = near[0]
    at = found.curve.displacements[len(found.curve.displacements) // 2 :]
    as_good = [one.curve for one in near[1:] if one.misfit < AS_GOOD * found.misfit]
    told = [other.displacement_at(found.curve.extension_at(at)) / at - 1 for other in as_good]
    sd = float(np.sqrt(np.mean(np.square(told)))) if told else 0.0
    return replace(found, travel_sd=max(sd, LEAST_SD))


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


def _of_shape(
    expected: Expected,
    shape: Shape,
    half_length_mm: float,
    extensions: Values,
    forces: Forces,
    largest_n: float,
    level: float,
    passes: int,
) -> Resemblance:
    """Return the sheet of a shape, its level set by the largest force; raises BadInput."""
    for _ in range(passes):
        hardening = shape.curve(level)
        material = expected.material.model_copy(update={"hardening": hardening})
        sheet, of_curve = replace(expected, chosen=material), level
        curve = sheet.curve(half_length_mm)
        level *= largest_n / curve.forces.max()
    measured = forces(curve)
    use = _rising(extensions, measured)
    like, measured = curve.force_at(extensions[use]), measured[use]
    gain = float(like @ measured / (like @ like))
    misfit = float(np.sqrt(np.mean((measured - gain * like) ** 2)) / measured.max())
    return Resemblance(sheet, curve, shape, of_curve if passes > 1 else level, misfit)
