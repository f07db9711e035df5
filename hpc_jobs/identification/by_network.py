"""From measured strains to parameters, or to the reasons why the network must not be asked."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import derived_names
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.dataset.pack import given_values
from hpc_jobs.identification.family_answer import (
    coordinates_of,
    found_quantities,
    network_knowledge,
    strain_reached,
)
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
        self,
        strains: NDArray[np.float64],
        forces: NDArray[np.float64] | None = None,
        known: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Physical targets (B, targets) from strains (B, strain_values), forces (B, ...) in N.

        known (B, 2 g): of a family, given values and then their standard deviations.
        """

    def covariances(
        self,
        strains: NDArray[np.float64],
        forces: NDArray[np.float64] | None = None,
        known: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Covariances (B, targets, targets) of the errors that its answers may have, physical."""

    def intervals(
        self,
        strains: NDArray[np.float64],
        forces: NDArray[np.float64] | None = None,
        known: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends (B, targets) of calibrated intervals, physical."""

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
    if not measurement.complete:
        lost = int((~measurement.mask).sum())
        reason = (
            f"{lost} of {len(measurement.strains)} strains are missing, and a network must be "
            "given all; the refinement leaves them out"
        )
        return _withheld(measurement, 0.0, network.novelty_limit, reason)
    strains = (measurement.strains + bias.strains)[None]
    novelty = float(network.novelty(strains)[0])
    forces = None
    if network.forces:
        if measurement.forces is None:
            missing = "the network was trained with forces, and none were measured"
            return _withheld(measurement, novelty, network.novelty_limit, missing)
        forces = (measurement.forces * (1 + bias.forces))[None]
    if not campaign.family.is_single_sheet:
        return _of_family(campaign, network, measurement, strains, forces, novelty)
    [answer], [covariance] = network.predict(strains, forces), network.covariances(strains, forces)
    estimate = _estimate(
        campaign, measurement.name, answer, novelty, network.novelty_limit, campaign.material
    )
    return _with_covariance(estimate, covariance)


def _of_family(
    campaign: Campaign,
    network: Network,
    measurement: Measurement,
    strains: NDArray[np.float64],
    forces: NDArray[np.float64] | None,
    novelty: float,
) -> Estimate:
    """Answer with intervals for all of a family's quantities, from what the measurement knows."""
    header, names = measurement.header, (*campaign.targets, *derived_names(campaign))
    known = network_knowledge(given_values(campaign), header)
    asked = (strains, forces, known if known.size else None)
    [answer], [covariance] = network.predict(*asked), network.covariances(*asked)
    low, high = network.intervals(*asked)
    coordinates = coordinates_of(campaign, header.knowledge, dict(zip(names, answer, strict=True)))
    reason = campaign.family.defect(list(coordinates.values()))
    if reason:
        return _withheld(measurement, novelty, network.novelty_limit, reason)
    material = campaign.family.material_of(list(coordinates.values()))
    own = len(campaign.targets)
    estimate = _estimate(
        campaign, measurement.name, answer[:own], novelty, network.novelty_limit, material
    )
    if estimate.outside:
        return estimate
    reached = strain_reached(measurement.strains, header.specimens, header.noise.strain)
    found = found_quantities(names[own:], answer[own:], low[0, own:], high[0, own:], reached)
    return _with_covariance(estimate, covariance[:own, :own]).model_copy(
        update={"found": found, "coordinates": coordinates}
    )


def _with_covariance(estimate: Estimate, covariance: NDArray[np.float64]) -> Estimate:
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
    material: Material,
) -> Estimate:
    targets = {target: float(value) for target, value in zip(campaign.targets, answer, strict=True)}
    reasons = []
    if not novelty <= novelty_limit:
        reasons.append(
            f"novelty {novelty:.3g} is above the limit {novelty_limit:.3g}: the strains are unlike "
            "all that were trained on"
        )
    reasons += unphysical(campaign, targets, "the network's answer", material)
    return Estimate(
        measurement=name,
        parameters=None if reasons else targets,
        outside=tuple(reasons),
        novelty=novelty,
        novelty_limit=novelty_limit,
    )
