"""The multi-task network of the case study: one convolutional trunk, one head per target.

Shapes: B batch, C channels, L patches x times (time fastest), G heads of equal depth, H hidden.
Heads of equal depth run side by side as grouped convolutions and batched matrix products: the
same arithmetic as G separate heads, in a fraction of the calls. Forces and given values, where
they are an input, have a fully connected branch of their own, whose features join each head's.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpc_jobs.contract.training import MultitaskCnn as MultitaskCnnSpec
from hpc_jobs.learning.networks.network import Network, StrainShape

WHITENING = 0.7
"""Between the measured field and one in which all components weigh the same: best of both."""
SIMPLE_CONVOLUTIONS = 1
DEEP_CONVOLUTIONS = 3
FEATURES = 32  # of what comes beside the strains
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


class MultitaskCnn(Network):
    """Trunk: 2 x [Conv1d, BatchNorm, MaxPool, activation] on rows of the encoding's choice."""

    def __init__(
        self,
        spec: MultitaskCnnSpec,
        shape: StrainShape,
        targets: Sequence[str],
        given: int = 0,
        told: int = 0,
    ) -> None:
        super().__init__(
            shape,
            spec.components,
            targets,
            forces=spec.forces,
            given=given,
            told=told,
            whitening=WHITENING,
        )
        width, activation = spec.channels, ACTIVATIONS[spec.activation]
        self.gaussian = spec.gaussian
        self.branch = _branch(self.beside, activation)
        self.rows, first, length = _encode(spec, shape, activation)
        self.trunk = nn.Sequential(
            *first, *_block(width, width, activation, kernel=5, length=length)
        )
        deep = [index for index, target in enumerate(targets) if target in spec.deep_heads]
        simple = [index for index in range(len(targets)) if index not in deep]
        depths = ((simple, SIMPLE_CONVOLUTIONS), (deep, DEEP_CONVOLUTIONS))
        self.heads = nn.ModuleList(
            Heads(
                len(group),
                depth,
                width,
                _pooled(length),
                spec.dropout,
                activation,
                answers=2 if spec.gaussian else 1,
                beside=FEATURES if self.beside else 0,
            )
            for group, depth in depths
            if group
        )
        order = torch.argsort(torch.tensor(simple + deep))
        self.register_buffer("order", order, persistent=False)

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 1 or 2): means, log variances."""
        strains, others = self.parts(components)
        field = self.inputs.field(strains).reshape(components.shape[0], self.rows, -1)
        shared = self.trunk(field)  # (B, C, L)
        beside = None if self.branch is None else self.branch(others)
        answers = torch.cat([heads(shared, beside) for heads in self.heads], dim=1)
        assert isinstance(self.order, Tensor)
        return answers[:, self.order]


def _branch(inputs: int, activation: type[nn.Module]) -> nn.Sequential | None:
    if not inputs:
        return None
    first = nn.Linear(inputs, FEATURES)
    second = nn.Linear(FEATURES, FEATURES)
    return nn.Sequential(first, activation(), second, activation())


def _encode(
    spec: MultitaskCnnSpec, shape: StrainShape, activation: type[nn.Module]
) -> tuple[int, list[nn.Module], int]:
    """Rows that the field is laid out in, the trunk's first block, and the length it leaves."""
    components, specimens, patches, times = shape
    rows, length = components * specimens, patches * times
    if spec.encoding == "patches":
        # One stride takes in all times of a patch; what is left is one place per patch.
        first = nn.Conv1d(rows, spec.channels, times, stride=times, bias=False)
        return rows, [first, nn.BatchNorm1d(spec.channels), activation()], patches
    if spec.encoding == "series":
        rows, length = rows * patches, times
    block = _block(rows, spec.channels, activation, kernel=5, length=length)
    return rows, block, _pooled(length)


class Heads(nn.Module):
    """G heads of equal depth: `depth` convolution blocks, then two fully connected layers."""

    def __init__(
        self,
        heads: int,
        depth: int,
        channels: int,
        length: int,
        dropout: float,
        activation: type[nn.Module],
        answers: int = 1,
        beside: int = 0,
    ) -> None:
        super().__init__()
        inner = max(channels // 2, 4)
        wide = heads * inner
        blocks = _block(channels, wide, activation, kernel=3, length=length)
        length = _pooled(length)
        for _ in range(depth - 1):
            blocks += _block(wide, wide, activation, kernel=3, length=length, groups=heads)
            length = _pooled(length)
        self.heads = heads
        self.activation = activation()
        self.convolutions = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.hidden = BatchedLinear(heads, inner * length + beside, 2 * channels)
        self.output = BatchedLinear(heads, 2 * channels, answers)

    def forward(self, shared: Tensor, beside: Tensor | None = None) -> Tensor:
        """(B, C, L), and features (B, n) that come beside the field -> (B, G, answers)."""
        features = self.convolutions(shared).reshape(shared.shape[0], self.heads, -1)  # (B, G, F)
        if beside is not None:
            every = beside[:, None].expand(-1, self.heads, -1)
            features = torch.cat([features, every], dim=2)
        hidden = self.activation(self.hidden(self.dropout(features)))  # (B, G, H)
        answers: Tensor = self.output(self.dropout(hidden))
        return answers


class BatchedLinear(nn.Module):
    """G linear layers at once: (B, G, n) -> (B, G, m), initialised as nn.Linear is."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(groups, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(groups, 1, outputs).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """One matrix product per group."""
        return torch.baddbmm(self.bias, values.transpose(0, 1), self.weight).transpose(0, 1)


def _block(
    inputs: int,
    outputs: int,
    activation: type[nn.Module],
    *,
    kernel: int,
    length: int,
    groups: int = 1,
) -> list[nn.Module]:
    return [
        nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm1d(outputs),
        *([PairwiseMax()] if length >= 2 else []),
        activation(),  # after the maximum: for ReLU the same, for both half the work
    ]


class PairwiseMax(nn.Module):
    """MaxPool1d(2), several times as fast on a CPU: (B, C, L) -> (B, C, L // 2)."""

    def forward(self, values: Tensor) -> Tensor:
        """Take the larger of two neighbours; a last odd one is dropped."""
        even = values.shape[-1] // 2 * 2
        return torch.maximum(values[..., 0:even:2], values[..., 1:even:2])


def _pooled(length: int) -> int:
    return length // 2 if length >= 2 else length
