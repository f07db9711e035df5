import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Truth
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter, material_errors
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.virtual_experiment import yield_parameters


def material(campaign: Campaign, exponent: int) -> Material:
    return Material.model_validate({**campaign.material.model_dump(), "exponent": exponent})


@pytest.mark.parametrize("name", [name for name, alloy in ALLOYS.items() if alloy.alpha])
def test_published_parameters_give_the_published_tests(campaign: Campaign, name: str) -> None:
    alloy = ALLOYS[name]
    parameters, origin = yield_parameters(alloy, alloy.exponent)
    found = Sheet.of(parameters, material(campaign, alloy.exponent)).quantities()
    assert origin.startswith("published alpha")
    assert found == pytest.approx(alloy.tests, abs=1.5e-3)


@pytest.mark.parametrize("name", ALLOYS)
def test_an_alloy_of_another_exponent_keeps_its_tests(campaign: Campaign, name: str) -> None:
    alloy = ALLOYS[name]
    other = {6: 8, 8: 6}[alloy.exponent]
    parameters, origin = yield_parameters(alloy, other)
    found = Sheet.of(parameters, material(campaign, other)).quantities()
    assert origin == f"alpha for exponent {other} from the published mechanical values"
    assert found == pytest.approx(alloy.tests, abs=1e-8)


def test_curves_of_aa2090_are_the_published_ones(campaign: Campaign) -> None:
    parameters, _ = yield_parameters(ALLOYS["aa2090"], 8)
    sheet = Sheet.of(parameters, material(campaign, 8))
    angles = np.arange(0.0, 91, 15)
    stress = [1, 0.9568, 0.8671, 0.8110, 0.8206, 0.8753, 0.9100]
    r = [0.211, 0.406, 1.065, 1.580, 1.350, 0.888, 0.692]
    np.testing.assert_allclose(sheet.stress_ratio(angles), stress, atol=4e-4)
    np.testing.assert_allclose(sheet.r_value(angles), r, atol=2e-3)
    curves = sheet.curves()
    assert curves.r_value[9] == pytest.approx(1.580, abs=2e-3)
    assert curves.angles_deg[9] == 45


def test_a_scaled_material_differs_in_its_locus_alone(campaign: Campaign) -> None:
    parameters, _ = yield_parameters(ALLOYS["dp780"], 6)
    true = Sheet.of(parameters, campaign.material)
    truth = Truth(quantities=true.quantities(), parameters=parameters, curves=true.curves())
    stronger = Sheet.of({k: v / 1.05 for k, v in parameters.items()}, campaign.material)
    errors = material_errors(stronger, truth, campaign.material)
    assert errors["yield_locus"] == pytest.approx(0.05, abs=1e-9)
    assert errors["r_curve"] == pytest.approx(0, abs=1e-9)
    assert errors["stress_curve"] == pytest.approx(0, abs=1e-9)


def test_what_is_not_known_is_not_compared(campaign: Campaign) -> None:
    sheet = Sheet.of(yield_parameters(ALLOYS["dp780"], 6)[0], campaign.material)
    truth = Truth(quantities={"r_value_0": 0.8})
    assert material_errors(sheet, truth, campaign.material) == {}


def test_targets_map_to_parameters_by_name(campaign: Campaign) -> None:
    turned = dict(zip(campaign.targets, reversed(campaign.targets.values()), strict=True))
    other = campaign.model_copy(update={"targets": turned})
    named = by_parameter(other, {target: float(i) for i, target in enumerate(turned, 1)})
    assert [named[f"alpha{i}"] for i in range(1, 9)] == [8, 7, 6, 5, 4, 3, 2, 1]
