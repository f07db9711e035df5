"""How busy a training keeps its device: the share of the time in which some kernel runs there.

The project's own training is run with the `device` source; torch's profiler says when each kernel
began and ended, after a first epoch that warms everything up. On a processor there are no kernels
on the side: then the operators of torch count, and what is left is Python's share.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.training import Network
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.learning.training.experiment import fit_network
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool

EPOCHS = 4  # the first is not looked at
WITH = {"cuda": ProfilerActivity.CUDA, "cpu": ProfilerActivity.CPU}
ON = {"cuda": DeviceType.CUDA, "cpu": DeviceType.CPU}


class Stopwatch:
    """Profiles a training from the end of its first epoch to the end of its last."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._profiler = profile(activities=[WITH[device.type]])
        self._start = self.wall_s = 0.0

    def progress(self, epoch: int, epochs: int, unit: str) -> None:
        """Begin after the first epoch, stop after the last."""
        if epoch not in (1, epochs):
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        if epoch == 1:
            self._profiler.start()
            self._start = time.perf_counter()
        else:
            self.wall_s = time.perf_counter() - self._start
            self._profiler.stop()

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one kernel, or one operator, ran."""
        intervals = [
            (event.time_range.start, event.time_range.end)
            for event in self._profiler.events() or []
            if event.device_type == ON[self._device.type] and not event.is_user_annotation
        ]
        return 1e-6 * covered(np.array(intervals, np.float64).reshape(-1, 2))


def covered(intervals: NDArray[np.float64]) -> float:
    """Length of the union of intervals (n, 2)."""
    if not len(intervals):
        return 0.0
    starts, ends = intervals[np.argsort(intervals[:, 0])].T
    reached = np.maximum.accumulate(ends)
    fresh = np.maximum(starts[1:], reached[:-1])
    return float(ends[0] - starts[0] + np.maximum(ends[1:] - fresh, 0).sum())


def measure(
    run: RunFolder[Path], campaign: Campaign, spec: Network, batch: int, device: torch.device
) -> dict[str, Any]:
    """Train a few epochs on the run's dataset, whose records all lie on the device."""
    training = campaign.training.model_copy(update={"source": "device"})
    pace = {"batch_size": batch, "epochs": EPOCHS, "name": f"{spec.name}-busy"}
    watch = Stopwatch(device)
    with Spool(run.root / "spool" / "busy.jsonl", name="busy") as spool:
        fitted = fit_network(
            open_dataset(run, training.validation_fraction),
            campaign.model_copy(update={"training": training}),
            spec.model_copy(update=pace),
            run.root / "busy",
            spool=spool,
            progress=watch.progress,
            stop=lambda: False,
            team=Team(device=device),
        )
    fitted.checkpoints.remove()
    return {
        "busy": watch.busy_s / watch.wall_s,
        "batch": batch,
        "records_per_s": fitted.trainer.speed.samples_per_s,
        "input_wait": fitted.trainer.speed.input_wait,
    }
