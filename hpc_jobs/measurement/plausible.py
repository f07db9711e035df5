"""What cannot be a tensile test: wrong sizes, units and signs, frozen and copied channels."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material, initial_yield_stress
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import Noise
from hpc_jobs.measurement.measured import Measurement

LARGEST_STRAIN = 1.0  # a sheet necks long before; percent exceeds it at once
SMALLEST_STRAIN = 1e-3  # a notched specimen that never exceeds it stayed elastic
FORCE_RANGE = (0.05, 20.0)  # of notch area times initial yield stress: finds kN and mN
USUAL_YIELD_MPA = 250.0  # where the sheet is one of a family: enough to tell kN from N
STRAIN_NOISE = (1e-6, 2e-2)  # of a patch: below no camera, above no measurement
FORCE_NOISE = (1e-5, 0.2)  # relative
ROUNDING = 1e-6  # of a correlation
FALL = 0.1  # of the last mean strain; a specimen that is pulled does not shrink back so far
COPY = 0.1  # of the noise; two specimens that differ by no more were not both measured
FROZEN_AFTER = 0.5  # of the times; a patch that stands still from then on is frozen


def physical_mistakes(measurement: Measurement) -> list[str]:
    """Name what cannot be a tensile test; missing patches are none, a missing specimen is."""
    specimens, noise = measurement.header.specimens, measurement.header.noise
    strains, forces = measurement.strains, measurement.forces
    mistakes = _size_mistakes("strains", strains, specimens.strain_values)
    if forces is not None:
        mistakes += _size_mistakes("forces", forces, specimens.force_values)
        mistakes = mistakes or _gaps("forces", forces)
    if mistakes:
        return mistakes
    field = strains.reshape(specimens.strain_shape)
    mistakes = _missing_mistakes(field, specimens)
    if mistakes:
        return mistakes
    mistakes = _strain_mistakes(field, specimens)
    unusual = noise_mistakes(noise)
    mistakes = mistakes or _channel_mistakes(field, specimens, 0.0 if unusual else noise.strain)
    mistakes += _beside_mistakes(measurement)
    if forces is not None:
        mistakes += _force_mistakes(forces, specimens, measurement.header.material)
    return mistakes + unusual


def noise_mistakes(noise: Noise) -> list[str]:
    """Name a standard deviation that no camera and no load cell has."""
    named = (
        ("strain", noise.strain, STRAIN_NOISE, "of one patch value, as a strain (0.0005)"),
        ("force", noise.force_relative, FORCE_NOISE, "relative to the force (0.005)"),
    )
    return [
        f"the noise of the {name} is {value:g}; give one standard deviation {meant}, between "
        f"{low:g} and {high:g}"
        for name, value, (low, high), meant in named
        if not low <= value <= high
    ]


def _size_mistakes(name: str, values: NDArray[np.float64], expected: int) -> list[str]:
    if values.shape != (expected,):
        return [f"{name} has shape {values.shape}, its specimens need ({expected},); write it anew"]
    return []


def _gaps(name: str, values: NDArray[np.float64]) -> list[str]:
    gaps = int(np.count_nonzero(~np.isfinite(values)))
    if gaps:
        return [f"{name} has {gaps} values that are not finite; fill or measure them again"]
    return []


def _missing_mistakes(field: NDArray[np.float64], specimens: Specimens) -> list[str]:
    """Strains [component, specimen, patch, time]: half a pair, infinity, a specimen without any."""
    mistakes = []
    if np.isinf(field).any():
        mistakes.append(f"{int(np.isinf(field).sum())} strains are infinite; leave them out")
    seen = np.isfinite(field)
    halves = int((seen[0] != seen[1]).sum())
    if halves:
        mistakes.append(
            f"{halves} values are not finite while the other component of the same patch and time "
            "is; a patch is measured in both components or missing in both"
        )
    for i, test in enumerate(specimens.tests):
        times = np.flatnonzero(~seen[0, i].any(axis=0))
        if len(times):
            mistakes.append(
                f"specimen {test.label}: no patch at all at time {times[0] + 1}; measure it again, "
                "or use a campaign without it"
            )
    return mistakes


def _strain_mistakes(strains: NDArray[np.float64], specimens: Specimens) -> list[str]:
    """Strains [component, specimen, patch, time]."""
    largest = float(np.nanmax(np.abs(strains)))
    if largest > LARGEST_STRAIN:
        return [
            f"the largest strain is {largest:.4g}, above {LARGEST_STRAIN:g}: this looks like "
            "percent or microstrain; give natural logarithmic strains (0.05, not 5)"
        ]
    if largest < SMALLEST_STRAIN:
        return [
            f"the largest strain is {largest:.4g}, below {SMALLEST_STRAIN:g}: the specimens stayed "
            "elastic, or the unit is wrong; give natural logarithmic strains (0.05, not 0.0005)"
        ]
    mistakes = []
    for i, test in enumerate(specimens.tests):
        axial, lateral = (float(np.nanmedian(strains[component, i, :, -1])) for component in (0, 1))
        if axial <= 0:
            mistakes.append(
                f"specimen {test.label}: the median exx at the last time is {axial:.4g}; x is the "
                "tensile axis and must stretch: are exx and eyy swapped, or the sign turned?"
            )
        elif lateral >= 0:
            mistakes.append(
                f"specimen {test.label}: the median eyy at the last time is {lateral:.4g}; the "
                "width must shrink: is it shear, or the sign turned?"
            )
    return mistakes


def _channel_mistakes(
    strains: NDArray[np.float64], specimens: Specimens, noise: float
) -> list[str]:
    """Name times out of order, patches that stand still, specimens that repeat another."""
    mistakes = []
    for i, test in enumerate(specimens.tests):
        mistakes += _order_mistakes(test.label, np.nanmean(strains[0, i], axis=0))
        mistakes += _frozen_mistakes(test.label, strains[:, i])
    for one, other in combinations(range(len(specimens.tests)), 2):
        gap = strains[:, one] - strains[:, other]
        if np.isfinite(gap).any() and np.nanmax(np.abs(gap)) <= COPY * noise:
            labels = specimens.tests[one].label, specimens.tests[other].label
            mistakes.append(
                f"specimens {labels[0]} and {labels[1]} have the same strains: "
                f"they differ by {np.nanmax(np.abs(gap)):.1e} at most, and each has a noise of its "
                "own; one is a copy of the other: give each its own file"
            )
    return mistakes


def _order_mistakes(label: str, mean: NDArray[np.float64]) -> list[str]:
    """Mean exx over the patches, (times,)."""
    highest = np.maximum.accumulate(mean)
    falls = np.flatnonzero(highest - mean > FALL * np.abs(mean).max())
    if not len(falls):
        return []
    time = int(falls[0])
    return [
        f"specimen {label}: the mean exx falls to {mean[time]:.4g} at time {time + 1}, after "
        f"{highest[time]:.4g}; a specimen that is pulled stretches: are times reversed or mixed up?"
    ]


def _frozen_mistakes(label: str, strains: NDArray[np.float64]) -> list[str]:
    """Strains [component, patch, time]."""
    _, patches, times = strains.shape
    mistakes = []
    zero = np.argwhere((strains == 0).all(axis=0))
    if len(zero):
        patch, time = zero[0] + 1
        mistakes.append(
            f"specimen {label}: patch {patch} is exactly 0 at time {time}, and {len(zero) - 1} "
            "more; a lost patch is missing, not 0: write nan for both"
        )
    late = strains[:, :, int(FROZEN_AFTER * times) :]
    if times < 4:
        return mistakes
    for patch in range(patches):
        series = late[:, patch]
        if np.isfinite(series).all() and (np.ptp(series, axis=1) == 0).all() and series.any():
            mistakes.append(
                f"specimen {label}: patch {patch + 1} keeps exx {series[0, 0]:.4g} to the end "
                "while the specimen is pulled; it is frozen: write nan for both"
            )
    return mistakes


def _beside_mistakes(measurement: Measurement) -> list[str]:
    """Name what is wrong beside strains and forces: deviations, correlation."""
    specimens, mistakes = measurement.header.specimens, list[str]()
    deviation = measurement.strain_deviation
    if deviation is not None:
        mistakes += _size_mistakes("strain_deviation", deviation, specimens.strain_values)
        if not mistakes and not (deviation[measurement.mask] > 0).all():
            mistakes.append("strain_deviation is not above 0 everywhere; give each strain its own")
    if deviation is not None and not mistakes:
        low, high = STRAIN_NOISE
        median = float(np.median(deviation[measurement.mask]))
        if not low <= median <= high:
            mistakes.append(
                f"strain_deviation is {median:.3g} in the median; give one standard deviation of "
                f"each strain, between {low:g} and {high:g}"
            )
    return mistakes + _correlation_mistakes(
        measurement.noise_correlation, 2 * specimens.patches.count
    )


def _correlation_mistakes(correlation: NDArray[np.float64] | None, size: int) -> list[str]:
    if correlation is None:
        return []
    if correlation.shape != (size, size):
        return [f"noise_correlation has shape {correlation.shape}, expected {size, size}"]
    if not np.isfinite(correlation).all():
        return ["noise_correlation has values that are not finite; leave it out, or mend them"]
    even = np.allclose(correlation, correlation.T, atol=ROUNDING)
    ones = np.allclose(np.diagonal(correlation), 1, atol=ROUNDING)
    if not (even and ones and np.linalg.eigvalsh(correlation)[0] > -ROUNDING):
        return [
            "noise_correlation is no correlation: it must be symmetric, with 1 on its diagonal and "
            "no negative eigenvalue; leave it out, or mend it"
        ]
    return []


def _force_mistakes(
    forces: NDArray[np.float64], specimens: Specimens, material: Material | None
) -> list[str]:
    mistakes = []
    stress = initial_yield_stress(material.hardening) if material else USUAL_YIELD_MPA
    for test, curve in zip(specimens.tests, forces.reshape(specimens.force_shape), strict=True):
        scale = test.geometry.notch_width_mm * test.geometry.thickness_mm * stress
        lowest, highest = (factor * scale for factor in FORCE_RANGE)
        if not lowest <= curve.max() <= highest:
            mistakes.append(
                f"specimen {test.label}: the largest force is {curve.max():.4g} N, expected "
                f"{lowest:.0f} to {highest:.0f} N for this notch and yield stress; give newtons, "
                "tension positive"
            )
        elif curve.min() <= 0:
            time = int(curve.argmin())
            mistakes.append(
                f"specimen {test.label}: the force at time {time + 1} is {curve[time]:.4g} N; a "
                "specimen that is pulled pulls back: remove the load cell's zero, tension positive"
            )
        elif len(curve) > 2 and np.ptp(curve) == 0:
            mistakes.append(
                f"specimen {test.label}: the force is {curve[0]:.4g} N at all times; the channel "
                "was not connected, or another was exported: leave the forces out"
            )
    return mistakes + _copied_forces(forces.reshape(specimens.force_shape), specimens)


def _copied_forces(forces: NDArray[np.float64], specimens: Specimens) -> list[str]:
    """Name specimens whose forces [specimen, time] are those of another to the last digit."""
    return [
        f"specimens {specimens.tests[one].label} and {specimens.tests[other].label} have the same "
        "forces; give each its own, or leave the forces out"
        for one, other in combinations(range(len(forces)), 2)
        if np.array_equal(forces[one], forces[other])
    ]
