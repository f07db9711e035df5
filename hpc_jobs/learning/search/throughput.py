"""How fast a network identifies on this very node: the second objective."""

import time

import torch

from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.learning.models.inverse_model import InverseModel

WARM_UP, REPEATS, LEAST_S = 3, 7, 0.02


@torch.no_grad()
def samples_per_s(
    model: InverseModel, examples: Examples, batch: int, device: torch.device
) -> float:
    """Measure how many records/s are identified, `batch` at once, from raw fields to targets.

    The fastest of several bursts: what else the node does can only slow one down.
    """
    model.to(device).eval()
    rows = torch.arange(batch) % len(examples.strains)
    values = [examples.strains]
    if model.network.force_inputs:
        values.append(examples.forces)
    if model.network.known_values and examples.known is not None:
        values.append(examples.known)
    inputs = tuple(torch.from_numpy(one)[rows].to(device) for one in values)
    for _ in range(WARM_UP):
        model(*inputs)
    return batch / min(_burst(model, inputs, device) for _ in range(REPEATS))


def _burst(model: InverseModel, inputs: tuple[torch.Tensor, ...], device: torch.device) -> float:
    """Seconds of one call, over as many as take LEAST_S together."""
    calls, begun = 0, _now(device)
    while True:
        model(*inputs)
        calls += 1
        elapsed = _now(device) - begun
        if elapsed >= LEAST_S:
            return elapsed / calls


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
