"""A multilayer perceptron on principal components in units of the noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpc_jobs.contract.training import Mlp as MlpSpec
from hpc_jobs.learning.networks.network import Network, StrainShape


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
        width = self.inputs.components + self.beside
        for hidden in spec.hidden:
            layers += [nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(spec.dropout)]
            width = hidden
        self.gaussian, self.targets = spec.gaussian, len(targets)
        answers = len(targets) * (2 if spec.gaussian else 1)
        self.layers = nn.Sequential(*layers, nn.Linear(width, answers))

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 1 or 2): means, log variances."""
        strains, beside = self.parts(components)
        inputs = self.inputs(strains)
        if beside is not None:
            inputs = torch.cat([inputs, beside], dim=1)
        scaled: Tensor = self.layers(inputs)
        return scaled.reshape(components.shape[0], self.targets, -1)
