"""From frames to a record: strains and forces at the displacements that a campaign simulates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.clocks import in_gap
from hpc_jobs.measurement.frames import Watched
from hpc_jobs.measurement.isotropic import Curve
from hpc_jobs.measurement.noise import Noise, mean_of_seen, median_of_seen

Values = NDArray[np.float64]

BEYOND = 0.5  # of the last step between frames, by which the last output may be extrapolated
BRIDGED = 1  # frames that may be broken between two that are not, for a moment between them
FAR = 2.5  # usual steps from one frame to the next, over which nothing is interpolated
PAST_PEAK = 0.005  # of the largest force
SMOOTHED = 5  # frames


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Where the output times lie between the frames."""

    before: NDArray[np.int64]  # (times,) number of the frame before
    after: NDArray[np.int64]  # (times,) and of that after, the next one that is sound
    share: Values  # (times,) of the way from one to the other

    def at(self, values: Values) -> Values:
        """Interpolate values (frames, ...) linearly, (times, ...)."""
        share = self.share.reshape(-1, *(1,) * (values.ndim - 1))
        return (1 - share) * values[self.before] + share * values[self.after]

    @property
    def gain(self) -> Values:
        """Deviation of an interpolated value over that of a frame, (times,)."""
        return np.hypot(1 - self.share, self.share)


def find_moments(extensions: Values, wanted: Values, displacements: Values, told: str) -> Moments:
    """Find where the field's extension (frames,) first reaches the wanted ones (times,), mm.

    Raises BadInput where the test ended before.
    """
    known = np.flatnonzero(np.isfinite(extensions))
    reached = np.maximum.accumulate(extensions[known])
    step = reached[-1] - reached[-2] if len(reached) > 1 else 0.0
    short = np.flatnonzero(wanted > reached[-1] + BEYOND * step)
    if len(short):
        raise BadInput(
            f"{told}: the frames end when the lines of the field are {reached[-1]:.4g} mm further "
            f"apart, before {displacements[short[0]]:.4g} mm between the ends ("
            f"{wanted[short[0]]:.4g} mm between the lines); pull further, or use a campaign whose "
            "end_displacement_mm is smaller"
        )
    after = np.clip(np.searchsorted(reached, wanted), 1, len(known) - 1)
    low, high = reached[after - 1], reached[after]
    share = (wanted - low) / np.where(high > low, high - low, 1.0)
    before = known[after - 1]
    gaps, usual = known[after] - before, float(np.median(np.diff(reached)[np.diff(reached) > 0]))
    far = (gaps > 1 + BRIDGED) & (high - low > FAR * usual)
    if far.any():
        at = int(np.argmax(far))
        raise BadInput(
            f"{told}: output time {at + 1} lies between frames {before[at] + 1} and "
            f"{known[after][at] + 1}, and in none between them are the lines of the field seen; "
            "export these frames again"
        )
    return Moments(before, known[after], np.clip(share, 0.0, 1.0 + BEYOND))


def strains_at(watched: Watched, noise: Noise, moments: Moments) -> tuple[Values, Values]:
    """Strains and their deviations, each (2, patches, times); NaN where a patch is missing."""
    strains = moments.at(watched.strains - noise.offset)
    # Where points are lost, above all at an edge, a fit is less sure than in the unloaded frames
    if noise.measured:
        usual = mean_of_seen(watched.spread[: noise.frames])
    else:  # noise is the median roughness of the frames, so it is that of the median frame
        usual = median_of_seen(watched.spread)
    growth = np.maximum(moments.at(watched.spread) / usual, 1.0)
    growth = np.where(np.isfinite(growth), growth, 1.0)
    single = noise.deviation[None] * growth * moments.gain[:, None, None]
    of_mean = noise.deviation[None] / np.sqrt(noise.frames) if noise.measured else 0.0
    if not noise.measured:  # the reference picture's noise is in all frames alike
        of_mean = noise.deviation[None]
    deviation = np.hypot(single, of_mean)
    return np.moveaxis(strains, 0, -1), np.moveaxis(deviation, 0, -1)


def shared_in_time(noise: Noise, moments: Moments) -> float:
    """Share of a strain's variance that all times have alike: that of the unloaded frames."""
    of_mean = 1 / noise.frames if noise.measured else 1.0
    return float(of_mean / (np.median(moments.gain**2) + of_mean))


@dataclass(frozen=True, slots=True, eq=False)
class Forces:
    """Force of one specimen at the output times, N of the nominal thickness."""

    values: Values  # (times,)
    zero_n: float  # taken off
    thickness_share: float  # thickness over nominal, by which they were divided
    noise_n: float  # of a value
    notes: tuple[str, ...]


def forces_at(
    times: Values,
    moments: Moments,
    machine_s: Values,
    force_n: Values,
    unloaded: int,
    *,
    scatter_n: float,
    preload_n: float,
    zero: bool,
    thickness_share: float,
) -> Forces:
    """Force at the output times, its zero off, for the nominal thickness.

    times (frames,) on the machine's clock; machine_s and force_n (rows,) as recorded.
    """
    step = float(np.median(np.diff(times)))
    asked = moments.at(times)
    missed = np.flatnonzero(in_gap(asked, machine_s))
    if len(missed):
        raise BadInput(
            f"the machine's record pauses at {asked[missed[0]]:.4g} s, where output time "
            f"{missed[0] + 1} lies; export all of its rows, or leave the machine's file out"
        )
    values, counts = zip(*(_local(machine_s, force_n, at, step / 2) for at in asked), strict=True)
    offset = zero_of(times, machine_s, force_n, unloaded, preload_n, zero=zero)
    scaled = (np.array(values) - offset) / thickness_share
    noise = scatter_n / np.sqrt(np.median(counts)) if np.isfinite(scatter_n) else float("nan")
    notes = [f"zero of the load cell: {offset:+.1f} N, taken off"] if zero else []
    if thickness_share != 1:
        notes.append(f"forces divided by {thickness_share:.4f}, thickness over nominal thickness")
    return Forces(scaled, offset, thickness_share, float(noise / thickness_share), tuple(notes))


def zero_of(
    times: Values,
    machine_s: Values,
    force_n: Values,
    unloaded: int,
    preload_n: float,
    *,
    zero: bool,
) -> float:
    """Return what the load cell shows of nothing, N: the unloaded frames' mean less the preload.

    times (frames,) on the machine's clock; 0 where nothing is to be taken off.
    """
    if not zero:
        return 0.0
    step = float(np.median(np.diff(times)))
    still = (machine_s >= times[0] - step / 2) & (machine_s <= times[unloaded - 1] + step / 2)
    if still.any():
        return float(np.mean(force_n[still])) - preload_n
    return float(np.interp(times[0], machine_s, force_n)) - preload_n


def _local(times: Values, values: Values, at: float, reach: float) -> tuple[float, int]:
    """Value of a line through the samples around a moment, and how many there are."""
    near = np.abs(times - at) <= reach
    if near.sum() < 4:
        return float(np.interp(at, times, values)), 1
    offset = times[near] - at
    if offset.min() >= 0 or offset.max() <= 0:
        return float(np.interp(at, times, values)), 1
    slope = np.polyfit(offset, values[near], 1)
    return float(slope[1]), int(near.sum())


def check_peak(
    extensions: Values, forces: Values, last: float, noise_n: float, curve: Curve, told: str
) -> None:
    """Raise BadInput where the force falls for good before the last output's extension, mm."""
    before = np.flatnonzero(np.isfinite(forces) & np.isfinite(extensions) & (extensions <= last))
    if len(before) < 3 * SMOOTHED:
        return
    smooth = np.convolve(forces[before], np.full(SMOOTHED, 1 / SMOOTHED), mode="valid")
    peak = int(smooth.argmax())
    limit = max(PAST_PEAK * smooth[peak], 4 * np.nan_to_num(noise_n) / np.sqrt(SMOOTHED))
    if smooth[peak] - smooth[-1] <= limit:
        return
    frame = before[peak + SMOOTHED // 2]
    at = float(curve.displacement_at(extensions[frame : frame + 1])[0])
    raise BadInput(
        f"{told}: the force is largest, {smooth[peak]:.5g} N, at {at:.3g} mm between the ends and "
        "falls from there: beyond its peak a specimen localises with the mesh, so nothing is "
        "compared there; use a campaign whose end_displacement_mm is smaller"
    )
