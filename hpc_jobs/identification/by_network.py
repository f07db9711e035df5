"""From measured strains to parameters, or to the reasons why the network must not be asked."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.validity import unphysical
from hpc_jobs.measurement.file import Measurement


class Network(Protocol):
    """What is asked of a trained model (learning.models.trained_model.TrainedModel)."""

    @property
    def novelty_limit(self) -> float:
        """Novelty above which strains are unlike all that were trained on."""

    @property
    def forces(self) -> bool:
        """Whether it must be given the forces, too."""

    def predict(
        self, strains: NDArray[np.float64], forces: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Physical targets (B, targets) from strains (B, strain_values), forces (B, ...) in N."""

    def covariances(
        self, strains: NDArray[np.float64], forces: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Covariances (B, targets, targets) of the errors that its answers may have, physical."""

    def novelty(self, strains: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance (B,) of strains from those that were trained on."""


def identify(
    campaign: Campaign, network: Network, measurements: Sequence[Measurement], bias: MeshBias
) -> tuple[Estimate, ...]:
    """Estimate the parameters behind each measurement, in order."""
    return tuple(_identify(campaign, network, one, bias) for one in measurements)


def _identify(
    campaign: Campaign, network: Network, measurement: Measurement, bias: MeshBias
) -> Estimate:
    strains = (measurement.strains + bias.strains)[None]
    novelty = float(network.novelty(strains)[0])
    forces = None
    if network.forces:
        if measurement.forces is None:
            missing = "the network was trained with forces, and none were measured"
            return _withheld(measurement, novelty, network.novelty_limit, missing)
        forces = (measurement.forces * (1 + bias.forces))[None]
    [answer], [covariance] = network.predict(strains, forces), network.covariances(strains, forces)
    estimate = _estimate(campaign, measurement.name, answer, novelty, network.novelty_limit)
    if estimate.outside:
        return estimate
    rows = tuple(tuple(row) for row in covariance.tolist())
    return estimate.model_copy(update={"covariance": rows})


def _withheld(measurement: Measurement, novelty: float, limit: float, reason: str) -> Estimate:
    return Estimate(
        measurement=measurement.name,
        parameters=None,
        outside=(reason,),
        novelty=novelty,
        novelty_limit=limit,
    )


def _estimate(
    campaign: Campaign,
    name: str,
    answer: NDArray[np.float64],
    novelty: float,
    novelty_limit: float,
) -> Estimate:
    targets = {target: float(value) for target, value in zip(campaign.targets, answer, strict=True)}
    reasons = []
    if not novelty <= novelty_limit:
        reasons.append(
            f"novelty {novelty:.3g} is above the limit {novelty_limit:.3g}: the strains are unlike "
            "all that were trained on"
        )
    reasons += unphysical(campaign, targets, "the network's answer")
    return Estimate(
        measurement=name,
        parameters=None if reasons else targets,
        outside=tuple(reasons),
        novelty=novelty,
        novelty_limit=novelty_limit,
    )
