"""Measured values as a network should see them: in units of their noise, along their components.

Scaling each feature by its own spread would amplify the features that carry only noise; what the
components are is found once, when the dataset is packed (data/spectrum.py).
"""

import numpy as np
import torch
from torch import Tensor, nn

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.dataset.spectrum import Spectrum


class PrincipalInputs(nn.Module):
    """Components (B, k), whose noise has variance one -> inputs (B, k) of unit mean square.

    The gain sqrt(lambda / (lambda + 1)) (lambda + 1)^(-w/2) fades what the noise drowns; with
    whitening w = 1 all strong components weigh the same, with w = 0 as much as they vary.
    """

    mean: Tensor
    project: Tensor
    vectors: Tensor
    gain: Tensor

    def __init__(self, values: int, components: int, whitening: float = 1.0) -> None:
        super().__init__()
        self.whitening = whitening
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("project", torch.zeros(values, components))
        self.register_buffer("vectors", torch.zeros(values, components))
        self.register_buffer("gain", torch.zeros(components))

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
