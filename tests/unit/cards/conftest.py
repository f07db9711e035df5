"""A DP780 as it might have been identified: single sheet, and of a family."""

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.identified import IdentifiedSheet, Value
from hpc_jobs.contract.material import Material, Nodes
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.virtual_experiment import yield_parameters
from tests.unit.bench import campaign, demo

__all__ = ["campaign", "demo"]


def sheet_of(material: Material, parameters: dict[str, float], **more: object) -> IdentifiedSheet:
    quantities = Sheet.of(parameters, material).quantities()
    told: dict[str, object] = {
        "measurement": "dp780-coil-7",
        "campaign": "demo",
        "run_id": "demo-1",
        "validation": "first",
        "model": "committee",
        "identified_on": "2026-03-01",
        "method": "surrogate",
        "verdict": "answered",
        "material": material,
        "hardening": "given",
        "parameters": {
            name: Value(value=value, low=value - 0.01, high=value + 0.01)
            for name, value in parameters.items()
        },
        "targets": {name: f"MP{i}" for i, name in enumerate(parameters, 1)},
        "quantities": {
            quantity: Value(value=value, low=value - 0.02, high=value + 0.02)
            for quantity, value in quantities.items()
        },
        "strain_reached": 0.183,
    }
    return IdentifiedSheet.model_validate(told | more)


@pytest.fixture(scope="session")
def parameters(campaign: Campaign) -> dict[str, float]:
    return yield_parameters(ALLOYS["dp780"], campaign.material.exponent)[0]


@pytest.fixture
def sheet(campaign: Campaign, parameters: dict[str, float]) -> IdentifiedSheet:
    """Its hardening curve is the campaign's."""
    return sheet_of(campaign.material, parameters)


@pytest.fixture
def family_sheet(campaign: Campaign, parameters: dict[str, float]) -> IdentifiedSheet:
    """Its hardening curve was identified; in rolling direction it does not yield at k itself."""
    curve = Nodes(
        plastic_strains=(0, 0.003, 0.01, 0.05, 0.16), stresses_mpa=(450, 560, 640, 790, 905)
    )
    material = campaign.material.model_copy(update={"hardening": curve, "exponent": 5.7})
    shifted = {name: 1.04 * value for name, value in parameters.items()}
    return sheet_of(
        material,
        shifted,
        hardening="identified",
        stresses=tuple(
            (strain, Value(value=stress, low=stress - 8, high=stress + 8))
            for strain, stress in zip(curve.plastic_strains, curve.stresses_mpa, strict=True)
        ),
        scalars={"exponent": Value(value=5.7, low=5.1, high=6.4)},
        verdict="reservations",
        reasons=("it looks as if the notch were 10.10 mm wide, in specimen 45, 4.2 sigma",),
    )
