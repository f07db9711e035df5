"""A multilayer perceptron on principal components in units of the noise."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from hpc_jobs.contract.training import Mlp as MlpSpec
from hpc_jobs.learning.networks.base import Network, StrainShape
from hpc_jobs.learning.networks.inputs import PrincipalInputs


class Mlp(Network):
    """Components -> hidden layers -> all targets at once."""

    def __init__(self, spec: MlpSpec, shape: StrainShape, targets: Sequence[str]) -> None:
        super().__init__()
        self.inputs = PrincipalInputs(math.prod(shape), spec.components)
        layers: list[nn.Module] = []
        width = spec.components
        for hidden in spec.hidden:
            layers += [nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(spec.dropout)]
            width = hidden
        self.gaussian, self.targets = spec.gaussian, len(targets)
        answers = len(targets) * (2 if spec.gaussian else 1)
        self.layers = nn.Sequential(*layers, nn.Linear(width, answers))

    def outputs(self, strains: Tensor, noise: Tensor | None) -> Tensor:
        """(B, strain_values) strain -> (B, targets, 1 or 2): means, log variances."""
        scaled: Tensor = self.layers(self.inputs(strains, noise))
        return scaled.reshape(strains.shape[0], self.targets, -1)
