"""A strain field over its own elongation: what sheets that are strained unlike far have in common.

Output times follow each sheet's own yield and peak force, so that sheets of a family are strained
by one to ten per cent. r-values and stress ratios show in how strains share that elongation out; a
network that is given the shares need not learn to divide.
"""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpc_jobs.dataset.spectrum import Spectrum

LEAST = 0.05
"""Of the mean elongation: what is drawn less is divided by this."""


class FieldRatios(nn.Module):
    """Components (B, k), whose noise has variance one -> inputs (B, k + s) of unit mean square.

    A specimen's elongation is the mean of its patches' axial strains at the last time, a linear
    function of the components. The inputs are the field divided by the mean elongation, along the
    ratios' own principal directions, then the logarithms of the s elongations along theirs.
    """

    mean: Tensor
    elongation: Tensor
    elongation_mean: Tensor
    ratio_centre: Tensor
    ratio_turn: Tensor
    log_centre: Tensor
    log_turn: Tensor

    def __init__(self, shape: tuple[int, int, int, int], components: int) -> None:
        super().__init__()
        self.shape, (_, specimens, _, _) = shape, shape
        self.width = components + specimens
        self.register_buffer("mean", torch.zeros(components))
        self.register_buffer("elongation", torch.zeros(components, specimens))
        self.register_buffer("elongation_mean", torch.ones(specimens))
        self.register_buffer("ratio_centre", torch.zeros(components))
        self.register_buffer("ratio_turn", torch.zeros(components, components))
        self.register_buffer("log_centre", torch.zeros(specimens))
        self.register_buffer("log_turn", torch.zeros(specimens, specimens))

    def fit(self, spectrum: Spectrum, strains: NDArray[np.floating]) -> None:
        """Take over noise-free training records (n, strain_values), some thousands of them."""
        kept = len(self.mean)
        vectors = spectrum.vectors[:, :kept]
        means = self._means()
        typical = float((spectrum.mean @ means).mean())
        self.mean.copy_(torch.from_numpy(vectors.T @ spectrum.mean / spectrum.noise))
        self.elongation.copy_(torch.from_numpy(spectrum.noise * vectors.T @ means / typical))
        self.elongation_mean.copy_(torch.from_numpy(spectrum.mean @ means / typical))
        components = torch.from_numpy(spectrum.components(strains)[:, :kept])
        ratios, elongations = self._divided(components)
        noise = float((1 / elongations.mean(1).square()).mean())  # of a ratio
        signal, directions = _principal(ratios)
        self.ratio_centre.copy_(ratios.mean(0))
        self.ratio_turn.copy_(torch.from_numpy(directions * np.sqrt(signal) / (signal + noise)))
        logs = elongations.log()
        signal, directions = _principal(logs)
        noise = float((self.elongation.square().sum(0) / elongations.square()).mean())
        self.log_centre.copy_(logs.mean(0))
        self.log_turn.copy_(torch.from_numpy(directions / np.sqrt(signal + noise)))

    def forward(self, components: Tensor) -> Tensor:
        """(B, k) -> (B, k + s); in full precision, as `PrincipalInputs.observe` is."""
        device = components.device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self.forward(components.float())
        ratios, elongations = self._divided(components)
        shares = (ratios - self.ratio_centre) @ self.ratio_turn
        lengths = (elongations.log() - self.log_centre) @ self.log_turn
        return torch.cat([shares, lengths], dim=1)

    def _divided(self, components: Tensor) -> tuple[Tensor, Tensor]:
        """(B, k) -> the field's components (B, k) over the mean elongation; elongations (B, s)."""
        elongations = components @ self.elongation + self.elongation_mean
        elongations = elongations.clamp(min=LEAST)
        return (components + self.mean) / elongations.mean(1, keepdim=True), elongations

    def _means(self) -> NDArray[np.float64]:
        """(strain_values, s): what a specimen's elongation takes of each value."""
        _, specimens, patches, _ = self.shape
        means = np.zeros((*self.shape, specimens))
        for specimen in range(specimens):
            means[0, specimen, :, -1, specimen] = 1 / patches
        return means.reshape(-1, specimens)


def _principal(values: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances and directions of (n, k), strongest first."""
    covariance = np.atleast_2d(np.cov(values.double().numpy().T))
    variances, directions = np.linalg.eigh(covariance)
    return np.maximum(variances[::-1], 0), cast(NDArray[np.float64], directions[:, ::-1])
