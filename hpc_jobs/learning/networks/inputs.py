"""Measured values as a network should see them: in units of their noise, along their components.

Scaling each feature by its own spread would amplify the features that carry only noise; what the
components are is found once, when the dataset is packed (data/spectrum.py).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.dataset.spectrum import Spectrum

EXACTLY, NOTHING = 0.6, 0.1
"""Shares of training records whose given values are known exactly, or not at all."""


class PrincipalInputs(nn.Module):
    """Components (B, k), whose noise has variance one -> inputs (B, k) of unit mean square.

    The gain sqrt(lambda / (lambda + 1)) (lambda + 1)^(-w/2) fades what the noise drowns; with
    whitening w = 1 all strong components weigh the same, with w = 0 as much as they vary.
    """

    mean: Tensor
    project: Tensor
    vectors: Tensor
    gain: Tensor
    inverse_deviations: Tensor

    def __init__(self, values: int, components: int, whitening: float = 1.0) -> None:
        super().__init__()
        self.whitening = whitening
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("project", torch.zeros(values, components))
        self.register_buffer("vectors", torch.zeros(values, components))
        self.register_buffer("gain", torch.zeros(components))
        self.register_buffer("inverse_deviations", torch.zeros(components))

    @property
    def components(self) -> int:
        """Components k that are kept."""
        return self.vectors.shape[1]

    def fit(self, spectrum: Spectrum) -> None:
        """Take over the strongest components of a training set; raises ConfigurationError."""
        kept, found = self.components, spectrum.vectors.shape[1]
        if kept > found:
            raise ConfigurationError(
                f"a network takes {kept} components, the dataset has {found}; lower its "
                f"components to {found}"
            )
        signal = spectrum.variances[:kept]
        gain = np.sqrt(signal / (signal + 1)) * (signal + 1) ** (-self.whitening / 2)
        if power := (gain**2 * (signal + 1)).mean():  # what never varies tells nothing
            gain /= np.sqrt(power)
        vectors = spectrum.vectors[:, :kept]
        self.mean.copy_(torch.from_numpy(spectrum.mean))
        self.vectors.copy_(torch.from_numpy(vectors))
        self.gain.copy_(torch.from_numpy(gain))
        # Of the training records, noise included; of what the noise drowns nothing is expected
        inverse = np.where(signal >= 1, 1 / np.sqrt(signal + 1), 0)
        self.inverse_deviations.copy_(torch.from_numpy(inverse))
        self.project.copy_(torch.from_numpy(vectors / spectrum.noise))

    def observe(self, values: Tensor) -> Tensor:
        """Measured (B, values) -> components (B, k), centred, in units of the noise.

        In full precision: bfloat16 has eight bits, a signal of 500 times the noise needs ten.
        """
        device = values.device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self.observe(values)
        return (values - self.mean) @ self.project

    def forward(self, components: Tensor) -> Tensor:
        """(B, k) -> (B, k)."""
        return components * self.gain

    def field(self, components: Tensor) -> Tensor:
        """(B, k) -> (B, values): filtered, each value in its place on the sheet.

        Of unit mean square too: k components are spread over all values.
        """
        values, kept = self.vectors.shape
        spread = (values / kept) ** 0.5
        field: Tensor = spread * self.forward(components) @ self.vectors.T
        return field


class ForceInputs(PrincipalInputs):
    """Forces of a family's sheets: their ratios to the record's last forces, and that level alone.

    The level is the mean over the specimens of the last forces' logarithms. Sheets of a family
    differ in it by far more than in all else, so that whatever is mixed with it is lost. Answers
    that are stresses are given relative to it, as measured: `shift` is what each has to be moved
    by.
    """

    mix: Tensor
    level: Tensor
    relative: Tensor

    def __init__(self, values: int, times: int, relative: Sequence[bool]) -> None:
        super().__init__(values, values)
        self.times = times
        self.register_buffer("mix", torch.zeros(values, values))
        self.register_buffer("level", torch.zeros(values))
        self.register_buffer("relative", torch.tensor(relative, dtype=torch.float32))

    def scale(self, span: Sequence[float]) -> None:
        """Take over the min-max units of the targets."""
        self.relative.copy_((self.relative > 0) / torch.tensor(span))

    def fit(self, spectrum: Spectrum) -> None:
        """Take over a training set's forces; raises ConfigurationError."""
        super().fit(spectrum)
        values = len(spectrum.mean)
        mean_of = np.zeros(values)
        mean_of[self.times - 1 :: self.times] = self.times / values
        told = spectrum.vectors.T @ mean_of  # level = told . components, in units of the noise
        ratios = spectrum.vectors - np.ones((values, 1)) * told
        signal = (ratios * spectrum.variances) @ ratios.T
        variances, vectors = np.linalg.eigh(signal)
        strongest = np.argsort(variances)[::-1][: values - 1]
        variances = np.maximum(variances[strongest], 0)
        # The noise of a ratio is its own and the level's; what it drowns is faded
        drowned = ((vectors[:, strongest].T @ ratios) ** 2).sum(1)
        gain = np.sqrt(variances) / (variances + drowned)
        level_gain = 1 / np.sqrt((told**2 * spectrum.variances).sum() + (told**2).sum())
        mix = np.vstack([gain[:, None] * (vectors[:, strongest].T @ ratios), level_gain * told])
        self.mix.copy_(torch.from_numpy(mix.T))
        self.level.copy_(torch.from_numpy(spectrum.noise * told))

    def forward(self, components: Tensor) -> Tensor:
        """(B, k) -> (B, k): ratios, then the level."""
        return components @ self.mix

    def shift(self, components: Tensor) -> Tensor:
        """Say (B, targets), min-max units, what to add to answers: the measured level's."""
        return (components @ self.level)[:, None] * self.relative


class TimeInputs(PrincipalInputs):
    """Where a record's own output times lie: displacements in mm, exactly known.

    A sheet's times are found by a rule on a coarse mesh, which strains and forces do not tell to
    a per cent; near the peak force strains grow faster than displacements.
    """

    def __init__(self, values: int) -> None:
        super().__init__(values, values)

    def forward(self, displacements: Tensor) -> Tensor:
        """(B, d) mm -> (B, d) inputs: components of their logarithms."""
        return super().forward(self.observe(displacements.log()))


class Knowledge(nn.Module):
    """Values that a measurement knows of its sheet, each with its standard deviation.

    What is known counts as much as it says beyond the box: a value is given times the share
    w = 1/(1 + (deviation/spread)^2), and beside it w itself. Nothing is known at an infinite
    deviation.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("spread", torch.ones(count))

    def fit(self, given: GivenValues) -> None:
        """Take over the box of a dataset's given values."""
        self.centre.copy_(torch.tensor(given.centre))
        self.spread.copy_(torch.tensor(given.spread))

    def forward(self, known: Tensor) -> Tensor:
        """(B, 2 g), values and then their deviations -> (B, 2 g) inputs."""
        values, deviations = known[:, : self.count], known[:, self.count :]
        share = 1 / (1 + (deviations / self.spread).square())
        return torch.cat([share * (values - self.centre) / self.spread, 2 * share - 1], dim=1)

    def drawn(self, values: Tensor, noise: Tensor) -> Tensor:
        """Turn true values (B, g) and normal noise (B, 2 g) into inputs as of a measurement.

        Six in ten know the value exactly and one in ten nothing; the others' deviations spread
        evenly in their logarithm from a hundredth of the box to all of it.
        """
        chance = torch.special.ndtr(noise[:, self.count :])
        share = ((chance - EXACTLY) / (1 - EXACTLY - NOTHING)).clamp(0, 1)
        deviations = self.spread * 10 ** (2 * (share - 1))
        deviations = torch.where(chance < EXACTLY, torch.zeros_like(chance), deviations)
        nothing = chance > 1 - NOTHING
        told = values + deviations * noise[:, : self.count]
        deviations = torch.where(nothing, torch.full_like(chance, torch.inf), deviations)
        drawn: Tensor = self(torch.cat([told, deviations], dim=1))
        return drawn
