"""What every network is: observed components in, targets in min-max units out.

    components = network.observe(strains, forces)   # raw measurements, once
    scaled = network(components)

A training never sees raw measurements: the components of its records are stored with the dataset,
and independent noise on every strain is, along orthonormal directions, noise of variance one on
every component.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_jobs.contract.answers import is_log_stress
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.dataset.spectrum import Spectra
from hpc_jobs.learning.networks.inputs import (
    ForceInputs,
    Knowledge,
    PrincipalInputs,
    TimeInputs,
)

LOG_VARIANCE = (-18.0, 4.0)
"""From 1e-4 to 7 times the training range: beyond, only rounding or divergence leads."""
StrainShape = tuple[int, int, int, int]
"""[component, specimen, patch, time], as contract.specimen lays out a record."""
Records = NDArray[np.floating[Any]]
"""Noise-free strains (n, strain_values) of training records."""


class Network(nn.Module):
    """Base of the networks; `fit` comes before the first batch.

    Components (B, k) are those of the strains, then those of the forces if it takes forces, then
    the inputs that come from what a measurement knows of its sheet, and from its output times.
    """

    inputs: PrincipalInputs
    force_inputs: PrincipalInputs | None
    knowledge: Knowledge | None
    time_inputs: TimeInputs | None
    gaussian: bool

    def __init__(
        self,
        shape: StrainShape,
        components: int,
        targets: Sequence[str],
        *,
        forces: bool,
        given: int = 0,
        told: int = 0,
        whitening: float = 1.0,
    ) -> None:
        super().__init__()
        self.inputs = PrincipalInputs(math.prod(shape), components, whitening)
        values, relative = force_values(shape), [is_log_stress(target) for target in targets]
        self.force_inputs = None
        if forces and any(relative):
            self.force_inputs = ForceInputs(values, shape[-1], relative)
        elif forces:
            self.force_inputs = PrincipalInputs(values, values)
        self.knowledge = Knowledge(given) if given else None
        self.time_inputs = TimeInputs(told) if told else None

    @property
    def measured(self) -> int:
        """Components of a record that are measured: those of the forces included."""
        forces = self.force_inputs.components if self.force_inputs else 0
        return self.inputs.components + forces

    @property
    def given(self) -> int:
        """Values that a measurement may know of its sheet."""
        return self.knowledge.count if self.knowledge else 0

    @property
    def told(self) -> int:
        """Displacements that say where a record's output times lie; 0 if it is not told them."""
        return self.time_inputs.components if self.time_inputs else 0

    @property
    def known_values(self) -> int:
        """Values of a record in what is known: given ones, their deviations, displacements."""
        return 2 * self.given + self.told

    @property
    def noise_values(self) -> int:
        """Normal numbers that `noisy` takes for a record."""
        return self.measured + 2 * self.given

    @property
    def beside(self) -> int:
        """Inputs that come beside those from the strains."""
        return self.measured - self.inputs.components + self.known_values

    def fit(
        self,
        spectra: Spectra,
        given: GivenValues | None = None,
        span: Sequence[float] | None = None,
        strains: Records | None = None,
    ) -> None:
        """Take over the components of a training set; raises ConfigurationError.

        given: the box of what measurements may know; span: of each target, its min-max unit;
        strains: some of its records, for networks that look at more than components.
        """
        self.inputs.fit(spectra.strains)
        if self.force_inputs:
            self.force_inputs.fit(spectra.forces)
        if self.knowledge and given:
            self.knowledge.fit(given)
        if self.time_inputs:
            assert spectra.displacements is not None
            self.time_inputs.fit(spectra.displacements)
        if span is not None and isinstance(self.force_inputs, ForceInputs):
            self.force_inputs.scale(span)

    def noisy(self, stored: Tensor, noise: Tensor) -> Tensor:
        """Noise-free records as `Records` stores them -> (B, k) as of a measurement.

        Independent noise on every value is, along the components, noise of variance one.
        """
        seen = [stored[:, : self.measured] + noise[:, : self.measured]]
        beside = stored[:, self.measured :]
        if self.knowledge is not None:
            drawn = self.knowledge.drawn(beside[:, : self.given], noise[:, self.measured :])
            seen.append(drawn)
        if self.time_inputs is not None:
            seen.append(self.time_inputs(beside[:, self.given :]))
        return torch.cat(seen, dim=1) if len(seen) > 1 else seen[0]

    def settle(self) -> None:
        """Freeze the batch statistics: small batches make them noisy, and it shows at the end."""
        for module in self.modules():
            if isinstance(module, _BatchNorm):  # on one GPU or over several
                module.eval()

    def observe(
        self, strains: Tensor, forces: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Strains (B, strain_values), forces (B, force_values) N -> components (B, k).

        Centred, in units of the noise. known (B, 2 g + d): given values, their deviations, then
        displacements of the output times, mm. Raises BadInput if forces or known values that it
        takes are missing.
        """
        seen = [self.inputs.observe(strains)]
        if self.force_inputs is not None:
            if forces is None:
                raise BadInput("a network that takes forces was given none; measure them too")
            seen.append(self.force_inputs.observe(torch.log(forces)))
        if self.known_values and known is None:
            raise BadInput(
                "a network that takes known values was given none; give given values with their "
                "standard deviations, infinite where nothing is known, then the displacements of "
                "its output times"
            )
        if self.knowledge is not None and known is not None:
            seen.append(self.knowledge(known[:, : 2 * self.given]))
        if self.time_inputs is not None and known is not None:
            seen.append(self.time_inputs(known[:, 2 * self.given :]))
        return torch.cat(seen, dim=1) if len(seen) > 1 else seen[0]

    def parts(self, components: Tensor) -> tuple[Tensor, Tensor | None]:
        """Components (B, k) of the strains, and the scaled inputs beside them, if there are any."""
        kept, measured = self.inputs.components, self.measured
        beside = []
        if self.force_inputs is not None:
            beside.append(self.force_inputs(components[:, kept:measured]))
        if self.known_values:
            beside.append(components[:, measured:])
        if not beside:
            return components, None
        return components[:, :kept], torch.cat(beside, dim=1) if len(beside) > 1 else beside[0]

    def _moved(self, components: Tensor, answers: Tensor) -> Tensor:
        """Add the forces' level to the answers (B, targets) that are stresses."""
        if not isinstance(self.force_inputs, ForceInputs):
            return answers
        forces = components[:, self.inputs.components : self.measured]
        return answers + self.force_inputs.shift(forces)

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 1), or 2: means, and logarithms of variances."""
        raise NotImplementedError

    def forward(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets), 0 to 1 over the training range."""
        return self._moved(components, self.outputs(components)[..., 0])

    def moments(self, components: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, targets) each; of a Gaussian network only."""
        mean, log_variance = self.outputs(components).unbind(-1)
        return self._moved(components, mean), log_variance.clamp(*LOG_VARIANCE)


def force_values(shape: StrainShape) -> int:
    """Count the forces of a record: one per specimen and time."""
    _, specimens, _, times = shape
    return specimens * times


class NetworkType(Protocol):
    """How a network is built from its description in the campaign."""

    def __call__(
        self, spec: Any, shape: StrainShape, targets: Sequence[str], given: int = 0, told: int = 0
    ) -> Network:
        """Build it with fresh weights from torch's random generator.

        given: how many values a measurement may know of its sheet; told: how many displacements
        say where its output times lie.
        """
        ...
