"""Values that are wrong by themselves: a spike, a lost patch written as zero, a picture too many.

A sheet and all that may be off with its test move many values a little. What moves a few by far is
found first, by a fit that such values cannot pull, and left out; what is left is fitted as usual,
and a value that is then explained comes back.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.examination import Suspect
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.measured import Measurement

FAR = 8.0
"""Deviations, or of the scatter of all values where it is larger, beyond which a value is wrong."""
CLOSE = 5.0  # within which it comes back
MOST = 0.25  # of all values; more are no faults but another sheet, or another test
HUBER = 2.0  # scatters, from where a value pulls no more
ROUNDS = 12
WHOLE = 0.6  # of the patches of a picture, or of the times of a patch: then all of them are wrong
ZERO = 6.0  # deviations within which a strain is zero

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Wrong:
    """What is left out: patches [specimen, patch, time] and forces [specimen, time]."""

    patches: BoolArray
    forces: BoolArray

    @classmethod
    def nothing(cls, specimens: Specimens) -> "Wrong":
        """Nothing is wrong."""
        _, tests, patches, times = specimens.strain_shape
        return cls(np.zeros((tests, patches, times), bool), np.zeros((tests, times), bool))

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return bool(self.patches.any() or self.forces.any())

    @property
    def count(self) -> int:
        """How many values are."""
        return int(self.patches.sum() + self.forces.sum())

    def __or__(self, other: "Wrong") -> "Wrong":
        return Wrong(self.patches | other.patches, self.forces | other.forces)

    def left_out(self, measurement: Measurement) -> Measurement:
        """Return the measurement without these values."""
        shape = measurement.header.specimens.strain_shape
        strains = measurement.strains.reshape(shape)
        forces = measurement.forces
        if forces is not None:
            forces = np.where(self.forces.ravel(), np.nan, forces)
        kept = np.where(self.patches[None], np.nan, strains).ravel()
        return replace(measurement, strains=kept, forces=forces)


def robust_residual(
    residual: FloatArray, jacobian: FloatArray, pull: FloatArray, precision: FloatArray
) -> tuple[FloatArray, float]:
    """Residual (rows,) of a linear fit that few values cannot pull, and its scatter.

    residual and jacobian (rows, unknowns) are in deviations; pull (unknowns,) is the way to the
    prior's mean, of this precision (unknowns,).
    """
    weights, left, scatter = np.ones(len(residual)), residual, 1.0
    for _ in range(ROUNDS):
        weighted = weights[:, None] * jacobian
        normal = jacobian.T @ weighted + np.diag(precision)
        step = np.linalg.solve(normal, weighted.T @ residual + precision * pull)
        left = residual - jacobian @ step
        scatter = max(1.0, 1.4826 * float(np.median(np.abs(left))))
        weights = np.minimum(1.0, HUBER * scatter / np.maximum(np.abs(left), 1e-12))
        weights[np.abs(left) > FAR * scatter] = 0.0
    return left, scatter


def far_off(left: FloatArray, scatter: float, specimens: Specimens, far: float = FAR) -> Wrong:
    """Say which values are wrong, from residuals (values,) in deviations, NaN where missing.

    Nothing where too many are: they are no faults of single values.
    """
    shape, count = specimens.strain_shape, specimens.strain_values
    strains = np.abs(np.nan_to_num(left[:count])).reshape(shape).max(axis=0)
    forces = np.zeros(specimens.force_shape)
    if len(left) > count:
        forces = np.abs(np.nan_to_num(left[count:])).reshape(specimens.force_shape)
    patches = strains > far * scatter
    patches |= (patches.mean(axis=1) > WHOLE)[:, None, :]
    patches |= (patches.mean(axis=2) > WHOLE)[:, :, None]
    found = Wrong(patches, forces > far * scatter)
    total = (patches.sum() + found.forces.sum()) / (patches.size + found.forces.size)
    return found if total <= MOST else Wrong.nothing(specimens)


def come_back(found: Wrong, left: FloatArray, specimens: Specimens) -> Wrong:
    """Return what stays wrong once all else is explained: residuals (values,) in deviations."""
    still = far_off(left, 1.0, specimens, CLOSE)
    return Wrong(found.patches & still.patches, found.forces & still.forces)


def in_words(
    found: Wrong, measurement: Measurement, predicted: FloatArray, deviations: FloatArray
) -> tuple[Suspect, ...]:
    """Say what is wrong, which specimen, patch and time, and how large it is.

    predicted (values,) by the sheet that explains the rest, deviations (values,).
    """
    header = measurement.header
    specimens = header.specimens
    count = specimens.strain_values
    shape = specimens.strain_shape
    measured, like = measurement.strains.reshape(shape), predicted[:count].reshape(shape)
    off = np.abs(measured - like) / deviations[:count].reshape(shape)
    suspects = []
    for i, test in enumerate(specimens.tests):
        left, wrong = off[:, i].max(axis=0), found.patches[i].copy()
        for words, name, these in _groups(wrong, measured[:, i], like[:, i], deviations, shape, i):
            size = float(np.nanmax(np.where(these, left, np.nan)))
            label = f"{name}@{test.label.replace(' ', '-')}"
            suspects.append(_suspect(label, f"as if in specimen {test.label} {words}", size))
        for time in np.flatnonzero(found.forces[i]):
            assert measurement.forces is not None
            at = count + i * shape[3] + int(time)
            value = measurement.forces.reshape(specimens.force_shape)[i, time]
            words = (
                f"as if in specimen {test.label} the force at time {time + 1} were a spike "
                f"({value:.5g} N, not {np.exp(predicted[at]):.5g})"
            )
            size = abs(np.log(value) - predicted[at]) / deviations[at]
            label = f"force_spike@{test.label.replace(' ', '-')}"
            suspects.append(_suspect(label, words, float(size)))
    return tuple(sorted(suspects, key=lambda one: -one.sigmas))


def _groups(
    wrong: BoolArray,
    measured: FloatArray,
    like: FloatArray,
    deviations: FloatArray,
    shape: tuple[int, ...],
    specimen: int,
) -> list[tuple[str, str, BoolArray]]:
    """Take wrong values (patches, times) together to what a person would call one fault."""
    sizes = deviations[: int(np.prod(shape))].reshape(shape)[:, specimen]
    groups = list[tuple[str, str, BoolArray]]()

    def take(words: str, name: str, these: BoolArray) -> None:
        groups.append((words, name, these.copy()))
        wrong[these] = False

    pictures = np.flatnonzero(wrong.mean(axis=0) > WHOLE)
    pair = _exchanged(pictures, measured, like, sizes)
    if pair:
        these = np.zeros_like(wrong)
        these[:, list(pair)] = wrong[:, list(pair)]
        words = f"the pictures of times {pair[0] + 1} and {pair[1] + 1} had changed places"
        take(words, "swapped_times", these)
    for time in pictures:
        these = np.zeros_like(wrong)
        these[:, time] = wrong[:, time]
        if not these.any():
            continue
        zero = np.nanmedian(np.abs(measured[:, :, time]) / sizes[:, :, time]) < ZERO
        what = "were an unloaded one, its strains 0" if zero else "were of another moment"
        take(f"the picture of time {time + 1} {what}", "picture", these)
    zeros = wrong & (np.abs(measured) < ZERO * sizes).all(axis=0)
    still = wrong & ~zeros & _standing(measured, sizes)
    for these, name, meaning in (
        (zeros, "zeros", "0, as lost patches are sometimes written"),
        (still, "frozen", "what it was the time before, frozen"),
    ):
        for patch in np.flatnonzero(these.any(axis=1)):
            own = np.zeros_like(wrong)
            own[patch] = these[patch]
            take(f"patch {patch + 1} at {_times(own[patch])} were {meaning}", name, own)
    for patch in np.flatnonzero(wrong.any(axis=1)):
        own = np.zeros_like(wrong)
        own[patch] = wrong[patch]
        several = own[patch].sum() > 1
        what = "were of another place or lost" if several else "were a spike"
        take(
            f"patch {patch + 1} at {_times(own[patch])} {what}",
            "patch" if several else "spike",
            own,
        )
    return groups


def _exchanged(
    pictures: NDArray[np.int64], measured: FloatArray, like: FloatArray, sizes: FloatArray
) -> tuple[int, int] | None:
    """Two pictures that are like each other's prediction."""

    def misfit(time: int, other: int) -> float:
        return float(
            np.nanmedian(np.abs(measured[..., time] - like[..., other]) / sizes[..., time])
        )

    for one in pictures:
        for other in pictures:
            as_is = misfit(one, one) + misfit(other, other)
            if one < other and misfit(one, other) + misfit(other, one) < as_is / 3:
                return int(one), int(other)
    return None


def _standing(measured: FloatArray, sizes: FloatArray) -> BoolArray:
    """Where strains (2, patches, times) are what they were the time before, (patches, times)."""
    moved = np.abs(np.diff(measured, axis=-1)) < ZERO / 2 * sizes[..., 1:]
    still = np.zeros(measured.shape[1:], bool)
    still[:, 1:] = moved.all(axis=0)
    return still


def _times(wrong: BoolArray) -> str:
    numbers = [int(time) + 1 for time in np.flatnonzero(wrong)]
    if len(numbers) == 1:
        return f"time {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"times {numbers[0]} to {numbers[-1]}"
    return f"times {', '.join(map(str, numbers))}"


def _suspect(name: str, words: str, sigmas: float) -> Suspect:
    return Suspect(
        name=name,
        words=words,
        sigmas=sigmas,
        probability=1.0,
        value=sigmas,
        deviation=1.0,
        unit="noise",
    )
