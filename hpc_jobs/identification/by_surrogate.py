"""From measured strains and forces to parameters with their covariance, by the forward surrogate.

    identifier = Identifier.of(RunFolder(path))
    estimate = identifier.identify(strains, forces)

A network knows how sure it is from its errors on other sheets. The refinement starts from its
answer, or from none, uses forces where they were measured, and returns the posterior: its mean
under the law by which the campaign draws its sheets.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.design.mechanical import axes, places_of
from hpc_jobs.forward.fidelity import corrected
from hpc_jobs.forward.meshes import other_meshes
from hpc_jobs.forward.records import ForwardRecords, training_records
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate
from hpc_jobs.identification.mesh_bias import MeshBias, publish_mesh_bias
from hpc_jobs.identification.posterior import Posterior, posterior_mean, refine
from hpc_jobs.identification.prior import BoxLaw, fit_box_law
from hpc_jobs.identification.validity import unphysical
from hpc_jobs.measurement.file import Measurement

log = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]

LAW_RECORDS = 3_000  # of which the places in the box are worked out


@dataclass(frozen=True, slots=True, eq=False)
class Identifier:
    """The simulations of a campaign's run, ready to be inverted."""

    campaign: Campaign
    records: ForwardRecords
    limits: tuple[FloatArray, FloatArray]  # of the parameters, (targets,): their min-max units
    bias: MeshBias
    fine: ForwardRecords | None = None  # of a finer mesh: they correct the surrogate
    _fitted: dict[Noise, Surrogate] = field(default_factory=dict)
    _laws: dict[Noise, BoxLaw | None] = field(default_factory=dict)

    @classmethod
    def of(cls, run: RunFolder[Path], bias: MeshBias | None = None) -> "Identifier":
        """Read the run's campaign and dataset; raises CorruptFile, and NoReference for the bias.

        bias: where it is known; otherwise the published one, or a simulation's. Where the campaign
        has records on a finer mesh the surrogate stands for that mesh, and there is no bias.
        """
        campaign = read_model(FrozenCampaign, run.campaign).campaign
        other = other_meshes(run, campaign)
        facts, records = training_records(run, without=other.among)
        limits = np.array(facts.scaler.low), np.array(facts.scaler.high)
        bias = bias or publish_mesh_bias(run, campaign)
        if other.fine is not None:
            log.info("%d records of a finer mesh correct the surrogate", len(other.fine))
            bias = MeshBias(strains=0 * bias.strains, forces=0 * bias.forces)
        return cls(campaign, records, limits, bias, other.fine)

    def surrogate(self, noise: Noise) -> Surrogate:
        """Return the surrogate in units of a measurement's noise, fitted at the first call."""
        if noise not in self._fitted:
            units = noise.strain, noise.force_relative
            surrogate = fit_surrogate(self.records, self.limits, units)
            self._fitted[noise] = corrected(surrogate, self.fine) if self.fine else surrogate
        return self._fitted[noise]

    def law(self, surrogate: Surrogate) -> BoxLaw | None:
        """Return the law of the campaign's sheets; None if the box is flat in some direction."""
        if len(axes(self.campaign)) != surrogate.axes.shape[1]:
            return None
        parameters = self.records.parameters[:LAW_RECORDS].astype(np.float64)
        return fit_box_law(surrogate, parameters, places_of(self.campaign, parameters))

    def refine(self, measurement: Measurement, start: Estimate | None = None) -> Estimate:
        """Identify the sheet behind a measurement, from the network's estimate if it gave one."""
        return self.identify(
            measurement.strains,
            measurement.forces,
            noise=measurement.header.noise,
            name=measurement.name,
            start=start,
            seen=None if measurement.complete else measurement.mask,
        )

    def identify(
        self,
        strains: FloatArray,
        forces: FloatArray | None = None,
        *,
        noise: Noise | None = None,
        name: str = "measurement",
        start: Estimate | None = None,
        seen: NDArray[np.bool_] | None = None,
    ) -> Estimate:
        """Identify from raw strains (strain_values,) and forces (force_values,), N.

        noise: of this measurement, the campaign's by default. The estimate's novelty is the rms
        residual in units of the noise: 1 if the sheet explains all. seen (strain_values,): which
        strains were measured; the others are left out, whatever they are. Raises BadInput.
        """
        specimens = self.campaign.specimens
        kept = None
        if seen is not None:
            strains = np.where(seen, strains, 0.0)
            kept = np.concatenate([seen, np.ones(specimens.force_values, np.bool_)])
        _check("strains", strains, specimens.strain_values)
        corrected = None
        if forces is not None:
            _check("forces", forces, specimens.force_values)
            corrected = (forces * (1 + self.bias.forces))[None]
        begin = None
        if start is not None and start.parameters is not None:
            begin = np.array([[start.parameters[target] for target in self.campaign.targets]])
        posterior = self._posterior(
            noise or self.campaign.noise,
            (strains + self.bias.strains)[None],
            corrected,
            begin,
            kept,
        )
        rms = float(np.sqrt(posterior.chi_square[0] / posterior.freedom))
        return _estimate(self.campaign, name, posterior.parameters[0], posterior.covariance[0], rms)

    def _posterior(
        self,
        noise: Noise,
        strains: FloatArray,
        forces: FloatArray | None,
        start: FloatArray | None,
        kept: NDArray[np.bool_] | None,
    ) -> Posterior:
        surrogate = self.surrogate(noise)
        if noise not in self._laws:
            self._laws[noise] = self.law(surrogate)
        if law := self._laws[noise]:
            return posterior_mean(surrogate, law.log_density, strains, forces, start, kept=kept)
        return refine(surrogate, strains, forces, start, kept=kept)


def _check(name: str, values: FloatArray, length: int) -> None:
    if values.shape != (length,):
        raise BadInput(f"{name} have shape {values.shape}; the campaign measures ({length},)")
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise BadInput(f"{name} value {bad} is {values[bad]}; measure it again")
    if name == "forces" and not (values > 0).all():
        bad = int(np.flatnonzero(~(values > 0))[0])
        raise BadInput(f"forces value {bad} is {values[bad]:g} N; tension is positive")


def _estimate(
    campaign: Campaign, name: str, answer: FloatArray, covariance: FloatArray, rms: float
) -> Estimate:
    targets = {target: float(value) for target, value in zip(campaign.targets, answer, strict=True)}
    limit = campaign.validation.strain_rms_tolerance
    reasons = unphysical(campaign, targets, "the refinement's answer", campaign.material)
    if not rms <= limit:
        reasons.insert(
            0,
            f"the nearest sheet misses the measurement by {rms:.3g} noise, more than {limit:g}: "
            "it is unlike all that was simulated",
        )
    return Estimate(
        measurement=name,
        parameters=None if reasons else targets,
        outside=tuple(reasons),
        novelty=rms,
        novelty_limit=limit,
        method="surrogate",
        covariance=None if reasons else tuple(tuple(row) for row in covariance.tolist()),
    )
