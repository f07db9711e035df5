"""A multilayer perceptron on principal components in units of the noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpc_jobs.contract.training import Mlp as MlpSpec
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.dataset.spectrum import Spectra
from hpc_jobs.learning.networks.network import Network, Records, StrainShape
from hpc_jobs.learning.networks.ratios import FieldRatios


class Mlp(Network):
    """Components of strains, forces and given values -> hidden layers -> all targets at once."""

    def __init__(
        self,
        spec: MlpSpec,
        shape: StrainShape,
        targets: Sequence[str],
        given: int = 0,
        told: int = 0,
    ) -> None:
        super().__init__(
            shape, spec.components, targets, forces=spec.forces, given=given, told=told
        )
        layers: list[nn.Module] = []
        self.ratios = FieldRatios(shape, spec.components) if spec.ratios else None
        width = self.ratios.width if self.ratios else self.inputs.components
        width += self.beside
        for hidden in spec.hidden:
            layers += [nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(spec.dropout)]
            width = hidden
        self.gaussian, self.targets = spec.gaussian, len(targets)
        answers = len(targets) * (2 if spec.gaussian else 1)
        self.layers = nn.Sequential(*layers, nn.Linear(width, answers))

    def fit(
        self,
        spectra: Spectra,
        given: GivenValues | None = None,
        span: Sequence[float] | None = None,
        strains: Records | None = None,
    ) -> None:
        """Take over a training set, as every network does; ratios ask for its records, too."""
        super().fit(spectra, given, span, strains)
        if self.ratios:
            assert strains is not None
            self.ratios.fit(spectra.strains, strains)

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 1 or 2): means, log variances."""
        strains, beside = self.parts(components)
        inputs = self.ratios(strains) if self.ratios else self.inputs(strains)
        if beside is not None:
            inputs = torch.cat([inputs, beside], dim=1)
        scaled: Tensor = self.layers(inputs)
        return scaled.reshape(components.shape[0], self.targets, -1)
