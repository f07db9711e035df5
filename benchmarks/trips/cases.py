"""Sheets that go round, each in a campaign of its own hardening."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.camera.series import KnownSheet
from hpc_jobs.measurement.virtual_experiment import yield_parameters

CAMPAIGN = Path(__file__).parents[2] / "dags" / "campaigns" / "single_sheet.yaml"
SHEETS = ("dp780", "tr1180", "dp600", "dc04", "aa6022")
ENDS_MM = {"dp780": 0.9, "tr1180": 0.55, "dp600": 0.9, "dc04": 1.2, "aa6022": 0.9}
"""How far each sheet is pulled: below its peak force in all directions."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One sheet in a campaign of its own hardening."""

    name: str
    campaign: Campaign
    parameters: NDArray[np.float64]

    @property
    def sheet(self) -> KnownSheet:
        """What the specimens are made of."""
        return KnownSheet(parameters=self.parameters, material=self.campaign.material)

    @property
    def true(self) -> dict[Quantity, float]:
        """Return all quantities of the sheet."""
        named = dict(zip(self.campaign.material.parameters, self.parameters, strict=True))
        return dict(Sheet.of(named, self.campaign.material).quantities())


def case_of(name: str, campaign: Path = CAMPAIGN) -> Case:
    """Return a published or typical sheet; its hardening is known from a plain tensile test."""
    alloy = ALLOYS[name]
    document = load(Campaign, campaign).model_dump(mode="json", exclude_unset=True)
    document["material"] |= {
        "exponent": alloy.exponent,
        "youngs_modulus_mpa": alloy.youngs_modulus_mpa,
        "hardening": alloy.hardening.model_dump(mode="json"),
    }
    document["specimens"] |= {"end_displacement_mm": ENDS_MM[name]}
    made = parse(Campaign, document, name)
    named, _ = yield_parameters(alloy, made.material.exponent)
    return Case(name, made, np.array([named[key] for key in made.material.parameters]))
