"""Several trainings of one network: their mean is better than each, their spread says how sure."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.training import members_of
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.dataset.spectrum import Spectra
from hpc_jobs.learning.networks import NETWORKS
from hpc_jobs.learning.networks.inputs import Knowledge, PrincipalInputs, TimeInputs
from hpc_jobs.learning.networks.network import LOG_VARIANCE, Network, Records, StrainShape

SMALLEST_VARIANCE = 1e-12
"""Min-max units: members that agree to the last bit still have a logarithm."""


class Committee(Network):
    """Answers the mean and the variance of the mixture of its members (Lakshminarayanan 2017).

    Members of one dataset see the same components; what is observed is observed once.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        nn.Module.__init__(self)  # inputs of its own it has none
        self.members = nn.ModuleList(members)
        self.gaussian = True

    @property
    def inputs(self) -> PrincipalInputs:  # type: ignore[override]
        """Alike for all members."""
        return cast(Network, self.members[0]).inputs

    @property
    def force_inputs(self) -> PrincipalInputs | None:  # type: ignore[override]
        """Alike for all members."""
        return cast(Network, self.members[0]).force_inputs

    @property
    def knowledge(self) -> Knowledge | None:  # type: ignore[override]
        """Alike for all members."""
        return cast(Network, self.members[0]).knowledge

    @property
    def time_inputs(self) -> TimeInputs | None:  # type: ignore[override]
        """Alike for all members."""
        return cast(Network, self.members[0]).time_inputs

    def fit(
        self,
        spectra: Spectra,
        given: GivenValues | None = None,
        span: Sequence[float] | None = None,
        strains: Records | None = None,
    ) -> None:
        """Take over the components of a training set; raises ConfigurationError."""
        for member in self.members:
            cast(Network, member).fit(spectra, given, span, strains)

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 2): means, log variances of the mixture."""
        answers = torch.stack([cast(Network, one).outputs(components) for one in self.members])
        means = answers[..., 0]  # (members, B, targets)
        variance = means.var(0, unbiased=False)
        if answers.shape[-1] == 2:
            variance = variance + answers[..., 1].clamp(*LOG_VARIANCE).exp().mean(0)
        log_variance = torch.log(variance.clamp(min=SMALLEST_VARIANCE))
        return torch.stack([means.mean(0), log_variance], dim=-1)


def network_of(
    spec: NetworkSpec, shape: StrainShape, targets: Sequence[str], given: int = 0, told: int = 0
) -> Network:
    """Build what a campaign describes, with fresh weights: a network, or a committee of them."""
    members = [
        NETWORKS[member.kind](member, shape, targets, given, told) for member in members_of(spec)
    ]
    return members[0] if len(members) == 1 else Committee(members)
