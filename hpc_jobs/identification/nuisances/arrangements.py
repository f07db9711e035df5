"""A measurement in another order: specimens, patches or times taken for one another.

Each arrangement says how such a measurement is put right again. None has a size that could be
fitted; what makes the measurement explained is the right one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.measured import Measurement

FloatArray = NDArray[np.float64]
Strains = Callable[[FloatArray], FloatArray]  # [component, specimen, patch, time]
Forces = Callable[[FloatArray], FloatArray]  # [specimen, time]


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """What a person may have mixed up, and how it is undone."""

    name: str
    words: str  # of what the measurement looks like, a clause
    strains: Strains
    forces: Forces
    likely: bool = False  # worth a look even where the measurement is explained as it is

    def undone(self, measurement: Measurement) -> Measurement:
        """Put a measurement right; what is not known then is missing."""
        specimens = measurement.header.specimens
        shape, forces = specimens.strain_shape, measurement.forces
        deviation = measurement.strain_deviation
        if deviation is not None:
            deviation = self.strains(deviation.reshape(shape)).ravel()
            deviation = np.where(np.isfinite(deviation), deviation, measurement.header.noise.strain)
        if forces is not None:
            forces = self.forces(forces.reshape(specimens.force_shape)).ravel()
        return replace(
            measurement,
            strains=self.strains(measurement.strains.reshape(shape)).ravel(),
            strain_deviation=deviation,
            forces=forces,
        )


def arrangements(specimens: Specimens) -> list[Arrangement]:
    """List all that a test of these specimens can be mixed up into."""
    return [
        *_exchanged(specimens),
        *_of_patches(specimens),
        *_of_times(specimens),
    ]


def _exchanged(specimens: Specimens) -> list[Arrangement]:
    """Two specimens of one geometry."""
    tests, angles = specimens.tests, len(specimens.angles_deg)
    found = []
    for one, other in combinations(range(len(tests)), 2):
        if one // angles != other // angles:
            continue
        order = list(range(len(tests)))
        order[one], order[other] = other, one
        labels = tests[one].label, tests[other].label
        found.append(
            Arrangement(
                f"swapped@{labels[0]}-{labels[1]}",
                f"as if the specimens {labels[0]} and {labels[1]} had changed places",
                partial(_taken, order=order, axis=1),
                partial(_taken, order=order, axis=0),
                likely=True,
            )
        )
    return found


def _of_patches(specimens: Specimens) -> list[Arrangement]:
    """Patches counted the other way, or a specimen seen from its other side."""
    patches, tests, found = specimens.patches, specimens.tests, list[Arrangement]()
    if patches.along > 1 and patches.across > 1:
        order = np.arange(patches.count).reshape(patches.across, patches.along).T.ravel()
        found.append(
            Arrangement(
                "transposed",
                "as if patches were counted along the strip first; they count across it first",
                lambda field: field[:, :, order],
                _as_they_are,
            )
        )
    oblique = [i for i, test in enumerate(tests) if test.angle_deg % 90]
    if patches.across > 1:
        mirror = np.arange(patches.count).reshape(patches.along, patches.across)[:, ::-1].ravel()
        found += [
            Arrangement(
                f"mirrored@{tests[i].label.replace(' ', '-')}",
                f"as if specimen {tests[i].label} were seen from its other side, or cut at "
                f"-{tests[i].angle_deg:g} degrees",
                partial(_mirrored, specimen=i, mirror=mirror),
                _as_they_are,
                likely=True,
            )
            for i in oblique
        ]
    return found


def _of_times(specimens: Specimens) -> list[Arrangement]:
    """Strains or forces a time late or early, of all specimens or of one."""
    tests, found = specimens.tests, list[Arrangement]()
    if specimens.output_times < 3:
        return found
    whole: list[int | None] = [None]
    for i in whole + list(range(len(tests)) if len(tests) > 1 else []):
        whose = "all specimens" if i is None else f"specimen {tests[i].label}"
        label = "" if i is None else f"@{tests[i].label.replace(' ', '-')}"
        for late, when in ((1, "late"), (-1, "early")):
            shift = partial(_shifted, specimen=i, late=late)
            found.append(
                Arrangement(
                    f"strains_{when}{label}",
                    f"as if the pictures of {whose} were taken one time {when}",
                    partial(shift, axis=1),
                    _as_they_are,
                )
            )
            found.append(
                Arrangement(
                    f"forces_{when}{label}",
                    f"as if the forces of {whose} were read one time {when}",
                    _as_they_are,
                    partial(shift, axis=0),
                )
            )
    return found


def _as_they_are(values: FloatArray) -> FloatArray:
    return values


def _taken(values: FloatArray, order: list[int], axis: int) -> FloatArray:
    return np.take(values, order, axis=axis)


def _mirrored(field: FloatArray, specimen: int, mirror: NDArray[np.int64]) -> FloatArray:
    found = field.copy()
    found[:, specimen] = field[:, specimen][:, mirror]
    return found


def _shifted(values: FloatArray, specimen: int | None, late: int, axis: int) -> FloatArray:
    """Move times back by `late`, NaN where none is known; axis is that of the specimens."""
    moved = np.roll(values, -late, axis=-1)
    moved[..., -1 if late > 0 else 0] = np.nan
    if specimen is None:
        return moved
    found, chosen = values.copy(), [slice(None)] * values.ndim
    chosen[axis] = slice(specimen, specimen + 1)
    found[tuple(chosen)] = moved[tuple(chosen)]
    return found
