"""Throughput and latency of runtimes that take turns, so that a machine's moods fall on all alike.

A call's latency ends when the answer is there. Throughput is that of calls in a row, which a GPU
works through without anybody waiting in between; the best of the turns counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.learning.models.runtimes import OnDevice, Predict

Values = NDArray[np.float32]
Inputs = tuple[Values, ...]
FEWEST = 3  # calls of a turn


@dataclass(slots=True)
class Clock:
    """What the calls of one runtime with one batch size took, over all turns."""

    records: int
    latencies_s: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # records a second, by turn

    def summary(self) -> dict[str, float]:
        """Best turn, median and 99th percentile."""
        return {
            "records_per_s": max(self.rates),
            "p50_ms": 1e3 * float(np.median(self.latencies_s)),
            "p99_ms": 1e3 * float(np.quantile(self.latencies_s, 0.99)),
        }


def take_turns(
    runtimes: Mapping[str, Predict],
    inputs: Inputs,
    batches: Sequence[int],
    rounds: int,
    seconds: float,
) -> dict[str, dict[int, dict[str, float]]]:
    """Ask every runtime for every batch size; name -> batch -> figures.

    One that lives on a GPU appears a second time, "..., resident": without transfers.
    """
    calls = {
        (name, batch): call
        for runtime, predict in runtimes.items()
        for batch in batches
        for name, call in _ways(runtime, predict, batch_of(inputs, batch))
    }
    for call in calls.values():  # the first calls compile and allocate
        call()
        _wait()
    clocks = {key: Clock(key[1]) for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            _turn(call, clocks[key], seconds)
    found: dict[str, dict[int, dict[str, float]]] = {}
    for (name, batch), clock in clocks.items():
        found.setdefault(name, {})[batch] = clock.summary()
    return found


def batch_of(inputs: Inputs, records: int) -> Inputs:
    """So many records, repeated if there are fewer."""
    repeats = -(-records // len(inputs[0]))
    return tuple(np.tile(values, (repeats, 1))[:records] for values in inputs)


def _ways(name: str, predict: Predict, batch: Inputs) -> list[tuple[str, Callable[[], Any]]]:
    ways: list[tuple[str, Callable[[], Any]]] = [(name, lambda: predict(*batch))]
    if isinstance(predict, OnDevice) and predict.device.type == "cuda":
        there = predict.sent(*batch)
        ways.append((f"{name}, resident", lambda: predict.resident(*there)))
    return ways


def _turn(call: Callable[[], Any], clock: Clock, seconds: float) -> None:
    """Half the time for calls one by one, half for calls in a row."""
    end, count = time.perf_counter() + seconds / 2, 0
    while count < FEWEST or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        _wait()
        clock.latencies_s.append(time.perf_counter() - start)
        count += 1
    start = time.perf_counter()
    for _ in range(count):
        call()
    _wait()
    clock.rates.append(count * clock.records / (time.perf_counter() - start))


def _wait() -> None:
    """Until a GPU has done everything that was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
