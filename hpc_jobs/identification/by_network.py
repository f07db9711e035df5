"""From measured strains to parameters, or to the reasons why the network must not be asked."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hpc_jobs.contract.answers import derived_names
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Estimate
from hpc_jobs.dataset.pack import given_values
from hpc_jobs.identification.family_answer import (
    coordinates_of,
    found_quantities,
    network_knowledge,
    strain_reached,
)
from hpc_jobs.identification.imputation import RecordsLaw
from hpc_jobs.identification.mesh_bias import MeshBias, on_mesh
from hpc_jobs.identification.validity import unphysical
from hpc_jobs.measurement.file import Measurement

_SPREAD = float(ndtri((1 + INTERVAL_LEVEL) / 2))
"""Half the width of a normal law's interval, in deviations."""


class Network(Protocol):
    """What is asked of a trained model (learning.models.trained_model.TrainedModel)."""

    @property
    def novelty_limit(self) -> float:
        """Novelty above which a measurement is unlike all that were trained on."""

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

        known (B, 2 g + d): of a family, given values, their standard deviations, displacements.
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

    def novelty(
        self, strains: NDArray[np.float64], forces: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Distance (B,) of strains, and of forces if it looks at them, from those trained on."""


def identify(
    campaign: Campaign,
    network: Network,
    measurements: Sequence[Measurement],
    bias: MeshBias,
    law: Callable[[], RecordsLaw] | None = None,
) -> tuple[Estimate, ...]:
    """Estimate the parameters behind each measurement, in order.

    law: of the simulated records, asked for where strains are missing; without it such a
    measurement is withheld.
    """
    return tuple(_identify(campaign, network, one, bias, law) for one in measurements)


def _identify(
    campaign: Campaign,
    network: Network,
    measurement: Measurement,
    bias: MeshBias,
    law: Callable[[], RecordsLaw] | None,
) -> Estimate:
    lost = int((~measurement.mask).sum())
    if lost and law is None:
        reason = (
            f"{lost} of {len(measurement.strains)} strains are missing, and a network must be "
            "given all; the refinement leaves them out"
        )
        return _withheld(measurement, 0.0, network.novelty_limit, reason)
    carried = on_mesh(measurement, bias)
    strains = carried.strains[None]
    if lost and law is not None:
        strains = law().draws(carried)
    forces = None
    if network.forces:
        if carried.forces is None:
            missing = "the network was trained with forces, and none were measured"
            novelty = float(np.mean(network.novelty(strains)))
            return _withheld(measurement, novelty, network.novelty_limit, missing)
        forces = np.repeat(carried.forces[None], len(strains), axis=0)
    novelty = float(np.mean(network.novelty(strains, forces)))
    if not campaign.family.is_single_sheet:
        found = _of_family(campaign, network, measurement, strains, forces, novelty)
        return found.model_copy(update={"imputed": lost})
    answers, covariances = network.predict(strains, forces), network.covariances(strains, forces)
    answer, covariance = _together(answers, covariances)
    estimate = _estimate(
        campaign, measurement.name, answer, novelty, network.novelty_limit, campaign.material
    )
    return _with_covariance(estimate, covariance).model_copy(update={"imputed": lost})


def _together(
    answers: NDArray[np.float64], covariances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of answers (B, targets) to draws: how sure each is, and their scatter."""
    mean = answers.mean(axis=0)
    covariance = covariances.mean(axis=0)
    if len(answers) > 1:
        covariance = covariance + np.atleast_2d(np.cov(answers.T))
    return mean, np.asarray(covariance)


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
    told = np.repeat(known, len(strains), axis=0) if known.size else None
    asked = (strains, forces, told)
    answers = network.predict(*asked)
    answer, covariance = _together(answers, network.covariances(*asked))
    low, high = _intervals(answers, *network.intervals(*asked))
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
    found = found_quantities(names[own:], answer[own:], low[own:], high[own:], reached)
    return _with_covariance(estimate, covariance[:own, :own]).model_copy(
        update={"found": found, "coordinates": coordinates}
    )


def _intervals(
    answers: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ends (targets,) about the mean answer; the scatter of answers widens both sides."""
    mean = answers.mean(axis=0)
    scatter = _SPREAD * answers.std(axis=0)
    below = np.hypot((answers - low).mean(axis=0), scatter)
    above = np.hypot((high - answers).mean(axis=0), scatter)
    return mean - below, mean + above


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
            f"novelty {novelty:.3g} is above the limit {novelty_limit:.3g}: the measurement is "
            "unlike all that was trained on"
        )
    reasons += unphysical(campaign, targets, "the network's answer", material)
    return Estimate(
        measurement=name,
        parameters=None if reasons else targets,
        outside=tuple(reasons),
        novelty=novelty,
        novelty_limit=novelty_limit,
    )
