"""Two clocks: the force of the machine at the moments of the camera's frames.

They also run at rates of their own, by some 1e-4. A monotonic pull hardly tells by how much, one
with holds does: so the drift is fitted together with the shift, with that prior.

Camera and machine are started apart. Where nothing joins them, the shift is the one with which the
measured force, against the extension of the field, looks most like the curve of an isotropic
sheet, whose scale and zero are free: load begins, and the sheet yields, at one moment for both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.isotropic import Curve
from hpc_jobs.measurement.series import Synchronisation

Values = NDArray[np.float64]

STEPS = 241  # of the first look at all shifts
FEWEST = 8  # frames in the first part of the curve; with fewer all of them decide
GAINS = (0.3, 3.0)  # of the measured force over an isotropic sheet's
KNEE = 0.85  # of the force at the end of the curve: up to there it is steep
LOADED = 0.02  # of the largest force; the reference picture may be older than the record
SHARE_INSIDE = 0.8  # of the loaded frames must lie within the machine's record
DRIFT_SD = 1e-4  # of two quartz clocks
LARGEST_DRIFT = 4 * DRIFT_SD
MOMENT_S = 0.05  # by which the shift may move when a drift stands beside it
PAUSE = 20  # usual steps of a record; over a longer one nothing is interpolated
TINY_N = 1e-3
DOUBT = 0.05  # of the largest force; curves that fit worse are not of the same test


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Force at each frame, N as recorded, and what was found."""

    forces: Values  # (frames,), NaN outside the machine's record
    shift_s: float  # machine time of camera time 0
    shift_sd_s: float
    scatter_n: float  # of the load cell, about a smooth curve
    notes: tuple[str, ...]
    drift: float = 0.0  # by which the machine's clock runs faster
    drift_sd: float = 0.0

    def machine_time(self, camera_s: Values) -> Values:
        """Return times of the camera's clock on the machine's, s."""
        return np.asarray((1 + self.drift) * camera_s + self.shift_s)


def join(
    camera_s: Values,
    extensions_mm: Values,
    machine_s: Values,
    force_n: Values,
    how: Synchronisation,
    curve: Curve,
    *,
    drifting: bool = True,
) -> Joined:
    """Interpolate the machine's force (rows,) at the frames (frames,); raises BadInput.

    Without `drifting` the shift alone is found, where one is.
    """
    _check_order(machine_s, "the machine's times")
    _check_order(camera_s, "the frames' times")
    scatter, drift = _scatter(machine_s, force_n), [0.0, 0.0]
    if how.method == "trigger":
        shift, sd = float(machine_s[0] - camera_s[0]), 0.0
        note = "camera and machine start together (trigger)"
    elif how.method == "common_clock":
        shift, sd, note = 0.0, 0.0, "camera and machine share a clock"
    else:
        record = _steadied(camera_s, machine_s, force_n)
        shift, sd = _found(camera_s, extensions_mm, *record, how, curve)
        like, use = _steep(extensions_mm, curve)
        if drifting:
            shift, *drift = _drifting(shift, camera_s, like, *record, use)
        note = (
            f"the machine's clock shows {shift:+.3f} +- {sd:.3f} s when the camera's shows 0, and "
            f"gains {1e6 * drift[0]:+.0f} +- {1e6 * drift[1]:.0f} s in a million, by force against "
            "strain"
        )
    shift += how.offset_s
    forces = _at((1 + drift[0]) * camera_s + shift, machine_s, force_n)
    loaded = curve.force_at(np.nan_to_num(extensions_mm)) > LOADED * curve.forces.max()
    outside = int((np.isnan(forces) & loaded).sum())
    if outside > (1 - SHARE_INSIDE) * loaded.sum():
        raise BadInput(
            f"{outside} of {int(loaded.sum())} frames of the loaded specimen lie outside the "
            f"machine's record, {machine_s[0]:.4g} to {machine_s[-1]:.4g} s, with a shift of "
            f"{shift:.3g} s; correct synchronisation"
        )
    return Joined(forces, shift, sd, scatter, (note,), *drift)


def _check_order(times: Values, whose: str) -> None:
    falls = np.flatnonzero(np.diff(times) < 0)
    if len(falls):
        at = int(falls[0])
        raise BadInput(
            f"{whose} fall from {times[at]:.6g} to {times[at + 1]:.6g} s in row {at + 2}; times "
            "are reversed, or blocks of two tests lie in one file: keep one"
        )


def _found(
    camera_s: Values,
    extensions: Values,
    machine_s: Values,
    force: Values,
    how: Synchronisation,
    curve: Curve,
) -> tuple[float, float]:
    """Shift with which force against extension looks like the curve, and its deviation."""
    known = np.isfinite(extensions)
    like, use = _steep(extensions, curve)
    centre = _rise(machine_s, force) - _rise(camera_s[known], like[known])
    shifts = centre + np.linspace(-how.largest_shift_s, how.largest_shift_s, STEPS)
    costs = [_misfit(s, camera_s, like, machine_s, force, use)[0] for s in shifts]
    best = int(np.argmin(costs))
    if not np.isfinite(costs[best]):
        _check_size(force, curve)
        raise BadInput(
            "no shift of up to "
            f"{how.largest_shift_s:g} s brings frames and the machine's record together; give "
            "synchronisation.offset_s, or a larger largest_shift_s"
        )
    step = float(shifts[1] - shifts[0])
    found = minimize_scalar(
        lambda s: _misfit(s, camera_s, like, machine_s, force, use)[0],
        bounds=(shifts[best] - step, shifts[best] + step),
        method="bounded",
        options={"xatol": 1e-4},
    )
    shift = float(found.x)
    cost, count = _misfit(shift, camera_s, like, machine_s, force, use)
    if np.sqrt(cost) > DOUBT * np.nanmax(np.abs(force)):
        raise BadInput(
            f"force against strain looks like no tensile curve with any shift (misfit "
            f"{np.sqrt(cost):.3g} N rms of {np.nanmax(np.abs(force)):.4g} N): is it the machine "
            "file of this specimen, and its force channel? Or give a trigger or a common clock"
        )
    if best in (0, STEPS - 1):
        raise BadInput(
            f"the clocks seem to be more than {how.largest_shift_s:g} s apart; give "
            "synchronisation.offset_s, or a larger largest_shift_s"
        )
    rate = _misfit(shift + step, camera_s, like, machine_s, force, use)[0]
    rate += _misfit(shift - step, camera_s, like, machine_s, force, use)[0] - 2 * cost
    curvature = max(rate / step**2, 1e-30)  # of the mean square
    return shift, float(np.sqrt(2 * cost / (curvature * max(count - 3, 1))))


def _check_size(force: Values, curve: Curve) -> None:
    """Refuse forces that no sheet like the campaign's has."""
    measured, like = float(np.ptp(force)), float(curve.forces.max())
    if not GAINS[0] <= measured / like <= GAINS[1]:
        raise BadInput(
            f"the forces span {measured:.4g} N, and an isotropic sheet of this campaign bears "
            f"{like:.4g} N: is the force in another unit than N, or the specimen of another "
            "thickness, or of another sheet? Write the unit into the column's head, or name the "
            "columns by hand (machine.columns.force_unit)"
        )


def _steadied(camera_s: Values, machine_s: Values, force: Values) -> tuple[Values, Values]:
    """Average the record over half a step of the camera, times and forces.

    Between two rows interpolated noise is less than at them, so that misfits of the rows themselves
    are least at moments halfway between rows, whatever the shift.
    """
    step, row = (float(np.median(np.diff(times))) for times in (camera_s, machine_s))
    width = min(int(step / 2 / row) if row > 0 else 1, len(force) // 20)
    if width < 2:
        return machine_s, force
    kernel = np.full(width, 1 / width)
    return np.convolve(machine_s, kernel, "valid"), np.convolve(force, kernel, "valid")


def _steep(extensions: Values, curve: Curve) -> tuple[Values, NDArray[np.bool_]]:
    """Return forces that the curve gives the frames, and the frames by which clocks are told."""
    known = np.isfinite(extensions)
    like = curve.force_at(extensions)
    early = known & (like <= KNEE * curve.forces.max())
    return like, early if early.sum() >= FEWEST else known


def _drifting(
    shift: float,
    camera_s: Values,
    like: Values,
    machine_s: Values,
    force: Values,
    use: NDArray[np.bool_],
) -> tuple[float, float, float]:
    """Fit shift and drift together: shift at the camera's 0, drift, and the drift's deviation.

    The misfit that is left counts as the noise of each frame, beside the prior of the drift; what
    the frames do not tell stays 0 +- DRIFT_SD.
    """
    middle = float(np.mean(camera_s[use]))

    def cost(late: float, drift: float) -> tuple[float, int]:
        moments = camera_s + drift * (camera_s - middle) + late
        return _misfit(shift, moments, like, machine_s, force, use)

    def profile(drift: float) -> tuple[float, int, float]:
        """Least misfit with this drift, frames that tell, and how much later it is then."""
        reach = 2 * abs(drift) * float(np.ptp(camera_s[use])) + MOMENT_S
        best = minimize_scalar(
            lambda late: cost(late, drift)[0],
            bounds=(-reach, reach),
            method="bounded",
            options={"xatol": 1e-5},
        )
        least = min((0.0, float(best.x)), key=lambda late: cost(late, drift)[0])
        return *cost(least, drift), least

    drifts = np.linspace(-LARGEST_DRIFT, LARGEST_DRIFT, 81)
    profiles = [profile(drift) for drift in drifts]
    squares = np.array([one[0] for one in profiles])
    counts = np.array([one[1] for one in profiles])
    # Of Gaussian noise of unknown size, less the drift's prior
    with np.errstate(invalid="ignore"):
        logs = -counts / 2 * np.log(np.maximum(squares, TINY_N**2)) - (drifts / DRIFT_SD) ** 2 / 2
    logs = np.where(np.isfinite(squares), logs, -np.inf)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    drift = float(weights @ drifts)
    sd = float(np.sqrt(weights @ (drifts - drift) ** 2))
    _, _, late = profile(drift)
    return shift + late - drift * middle, drift, max(sd, float(drifts[1] - drifts[0]) / 4)


def _rise(times: Values, forces: Values) -> float:
    """Moment when the force first passes a third of the way up, s."""
    level = forces[0] + (forces.max() - forces[0]) / 3
    after = int(np.argmax(forces >= level))
    if after == 0:
        return float(times[0])
    low, high = forces[after - 1], forces[after]
    share = (level - low) / (high - low)
    return float(times[after - 1] + share * (times[after] - times[after - 1]))


def _misfit(
    shift: float,
    camera_s: Values,
    like: Values,
    machine_s: Values,
    force: Values,
    use: NDArray[np.bool_],
) -> tuple[float, int]:
    """Mean square of force less a line in the curve's force, N^2, and how many frames tell."""
    at = _at(camera_s + shift, machine_s, force)
    good = use & np.isfinite(at)
    loaded = use & (like > LOADED * np.nanmax(like))
    if good.sum() < 4 or (good & loaded).sum() < SHARE_INSIDE * loaded.sum():
        return np.inf, 0
    basis = np.column_stack((np.ones(good.sum()), like[good]))
    coefficients, *_ = np.linalg.lstsq(basis, at[good], rcond=None)
    # Before the load begins all is flat, and a flat curve would fit with no gain
    if not GAINS[0] <= coefficients[1] <= GAINS[1]:
        return np.inf, 0
    gaps = at[good] - basis @ coefficients
    return float(np.mean(gaps**2)), int(good.sum())


def _at(moments: Values, times: Values, values: Values) -> Values:
    inside = np.interp(moments, times, values)
    slack = 2 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    outside = (moments < times[0] - slack) | (moments > times[-1] + slack)
    return np.where(outside | in_gap(moments, times), np.nan, inside)


def in_gap(moments: Values, times: Values) -> NDArray[np.bool_]:
    """Whether moments (n,) lie where a record (rows,) s pauses far longer than it usually does."""
    if len(times) < FEWEST:
        return np.zeros(np.shape(moments), dtype=np.bool_)
    steps = np.diff(times)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    at = np.clip(np.searchsorted(times, moments) - 1, 0, len(steps) - 1)
    within = (moments > times[at] + usual) & (moments < times[at + 1] - usual)
    return np.asarray(within & (steps[at] > PAUSE * usual))


def _scatter(times: Values, force: Values) -> float:
    """Noise of the load cell, N, by third differences: what a smooth curve does not have."""
    if len(force) < 8:
        return float("nan")
    rough = np.diff(force, 3) / np.sqrt(20)
    return float(1.4826 * np.median(np.abs(rough - np.median(rough))))
