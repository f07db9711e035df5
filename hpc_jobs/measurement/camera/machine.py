"""A testing machine: it pulls at a constant speed of its crosshead, and writes its own log.

    travel = u + C F + s (1 - exp(-F/F_s))

with the specimen's elongation u, the machine's compliance C and the slip s of the grips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hpc_jobs.measurement.camera.defects import Defects

SPEED_MM_PER_S = 0.05
IDLE_S = 4.0  # between the machine's start and the pull
SLIP_FORCE_N = 800.0  # within which the grips have settled

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pull:
    """One specimen in the machine: its elongation and force at any time of the test (s)."""

    times_s: FloatArray  # (moments,) from the start of the pull, increasing from 0
    elongations_mm: FloatArray  # (moments,)
    forces_n: FloatArray  # (moments,) true ones
    travel_mm: FloatArray  # (moments,) of the crosshead

    def at(self, times_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Elongation, force and travel at times; before the pull those of its start."""
        clipped = np.clip(times_s, self.times_s[0], self.times_s[-1])
        curves = np.stack([self.elongations_mm, self.forces_n, self.travel_mm])
        elongation, force, travel = PchipInterpolator(self.times_s, curves, axis=1)(clipped)
        return elongation, force, travel

    def with_forces(self, elongations_mm: FloatArray, forces_n: FloatArray) -> "Pull":
        """Return the same motion with forces (moments,) that are known better."""
        u = np.append(self.elongations_mm[0], elongations_mm)
        start = np.interp(u[0], np.append(0.0, elongations_mm), np.append(0.0, forces_n))
        later = np.append(True, elongations_mm > u[0])
        return Pull(
            times_s=PchipInterpolator(self.elongations_mm, self.times_s)(u[later]),
            elongations_mm=u[later],
            forces_n=np.append(start, forces_n)[later],
            travel_mm=PchipInterpolator(self.elongations_mm, self.travel_mm)(u[later]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MachineLog:
    """What the machine's file holds, in true units and signs."""

    times_s: FloatArray  # (samples,) on the machine's own clock
    travel_mm: FloatArray
    forces_n: FloatArray
    start_s: float  # of the pull on the machine's clock


def pull_of(elongations_mm: FloatArray, forces_n: FloatArray, defects: Defects) -> Pull:
    """Time a specimen's curve (moments,), from the preload on."""
    u, force = np.append(0.0, elongations_mm), np.append(0.0, forces_n)
    lost = defects.compliance / (1 - defects.compliance) * u[-1]
    travel = u + lost * force / force[-1]
    travel += defects.slip_mm * (1 - np.exp(-force / SLIP_FORCE_N))
    started = np.interp(defects.preload_n, force, travel)
    later = travel > started
    u = np.append(np.interp(started, travel, u), u[later])
    force = np.append(np.interp(started, travel, force), force[later])
    moved = np.append(0.0, travel[later] - started)
    return Pull(times_s=moved / SPEED_MM_PER_S, elongations_mm=u, forces_n=force, travel_mm=moved)


def log_of(pull: Pull, defects: Defects, random: np.random.Generator) -> MachineLog:
    """Write down a pull with the machine's clock and load cell."""
    samples = int((IDLE_S + pull.times_s[-1]) * defects.machine_hz) + 1
    true = np.arange(samples) / defects.machine_hz - IDLE_S
    _, force, travel = pull.at(true)
    offset = defects.clock_offset_s * random.uniform(-1, 1)
    drift = 1 + defects.clock_drift * random.uniform(-1, 1)
    gain = 1 + defects.force_gain * random.standard_normal()
    zero = defects.force_offset_n * random.uniform(-1, 1)
    noise = defects.force_noise * defects.force_range_n * random.standard_normal(samples)
    return MachineLog(
        times_s=(true + IDLE_S) * drift + max(offset, 0.0),
        travel_mm=travel,
        forces_n=gain * force + zero + noise,
        start_s=IDLE_S * drift + max(offset, 0.0),
    )
