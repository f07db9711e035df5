"""A network recorded once for some batch sizes and replayed: a CUDA graph needs fixed shapes.

A batch goes into the smallest recorded size that holds it, the rest of the rows keeping what was
there before: records are answered independently. A larger batch is cut by the largest size. A
replay launches all kernels of the network at once, where Python would launch them one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SIZES = (1, 64, 1024, 16_384)
WARM_UPS = 3  # before recording: libraries allocate and choose their kernels in the first calls


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One batch size: what replay reads from and writes to, always the same memory."""

    inputs: tuple[Tensor, ...]
    output: Tensor
    replay: Callable[[], None]


Record = Callable[[Any, tuple[Tensor, ...]], Recording]


def cuda_graph(module: Any, inputs: tuple[Tensor, ...]) -> Recording:
    """Capture the module's kernels as a CUDA graph (docs.pytorch.org/docs, notes/cuda)."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            module(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = module(*inputs)
    return Recording(inputs, output, graph.replay)


def called_again(module: Any, inputs: tuple[Tensor, ...]) -> Recording:
    """Without a GPU: the same fixed memory, the module itself called at each replay."""
    output = module(*inputs)
    return Recording(inputs, output, lambda: output.copy_(module(*inputs)))


class StaticBuckets:
    """Asks the smallest recording that holds a batch; tensors lie on the module's device."""

    def __init__(
        self,
        module: Any,
        widths: Sequence[int],
        device: torch.device,
        sizes: Sequence[int] = SIZES,
        record: Record = cuda_graph,
    ) -> None:
        # A graph reads weights by their addresses, and holds nothing: without the module their
        # memory would be given to others, and replays would answer with what those write there.
        self._module = module
        self._recordings: dict[int, Recording] = {}
        for size in sorted(sizes):
            inputs = tuple(torch.ones(size, width, device=device) for width in widths)
            self._recordings[size] = record(module, inputs)
        self._largest = max(sizes)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Raw measurements (n, ...) to physical targets (n, targets)."""
        parts = zip(*(torch.split(values, self._largest) for values in inputs), strict=True)
        answers = [self._replayed(*part) for part in parts]
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _replayed(self, *inputs: Tensor) -> Tensor:
        count = len(inputs[0])
        size = next(size for size in self._recordings if size >= count)
        recording = self._recordings[size]
        for fixed, values in zip(recording.inputs, inputs, strict=True):
            fixed[:count].copy_(values)
        recording.replay()
        return recording.output[:count].clone()
