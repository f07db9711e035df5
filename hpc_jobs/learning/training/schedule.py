"""Learning rate as a pure function of the global step."""

import math

from hpc_jobs.contract.training import OneCycle, Schedule, SineWave


def learning_rate(
    schedule: Schedule, initial: float, step: int, total: int, steps_per_epoch: int
) -> float:
    """Rate at global step t of T, n steps an epoch.

    sine_wave: max(0, lr0 e^(-a t/T) (gamma sin(w t) + e^(-a t/T) + 1/2)), where w t is 2 pi b t/n
    with scan = epoch, one scan of the wave an epoch for b = 1, and b t/(2 pi n) with
    scan = literal, the case study's formula as printed. The sine may outweigh the rest: hence
    the clamp. cosine: lr0 (1 + cos(pi t/T))/2. one_cycle: half cosines from start lr0 to lr0 over
    the warm-up, then to end lr0 (Smith & Topin 2018).
    """
    if isinstance(schedule, SineWave):
        return initial * _sine_wave(schedule, step / total, step / steps_per_epoch)
    if isinstance(schedule, OneCycle):
        return initial * _one_cycle(schedule, step / total)
    return initial * 0.5 * (1 + math.cos(math.pi * step / total))


def _sine_wave(schedule: SineWave, progress: float, epochs: float) -> float:
    scan = 2 * math.pi if schedule.scan == "epoch" else 1 / (2 * math.pi)
    decay = math.exp(-schedule.decay * progress)
    wave = schedule.gamma * math.sin(scan * schedule.waves * epochs)
    return max(0.0, decay * (wave + decay + 0.5))


def _one_cycle(schedule: OneCycle, progress: float) -> float:
    if progress < schedule.warm_up:
        return _half_cosine(schedule.start, 1.0, progress / schedule.warm_up)
    return _half_cosine(1.0, schedule.end, (progress - schedule.warm_up) / (1 - schedule.warm_up))


def _half_cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))
