import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.loading import load
from hpc_jobs.design.mechanical import places_of
from hpc_jobs.identification.mesh_bias import mesh_bias, refined
from hpc_jobs.identification.validity import position
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import foreign_fields, read_for, read_measurement
from hpc_jobs.measurement.virtual_experiment import ImpossibleExperiment, virtual_experiment
from hpc_jobs.tools import import_measurement
from hpc_jobs.tools import virtual_experiment as script
from tests.harness.families import small_family

FINE = Mesh(along=24, across=12)
MEASUREMENTS = Path(__file__).parents[3] / "dags" / "measurements"
CAMPAIGNS = Path(__file__).parents[3] / "dags" / "campaigns"
SHIPPED = [
    *(("single_sheet", f"single-{alloy}") for alloy in ("dp780", "tr1180", "aa2090")),
    *(("demo", alloy) for alloy in ("dp780", "tr1180", "dp600", "dc04", "aa6022", "aa2090")),
]


@pytest.fixture(scope="module")
def small(demo: Path) -> Campaign:
    """One short test on a mesh that is coarse even when it is refined."""
    overrides = {
        "specimens": {
            "angles_deg": [45],
            "mesh": {"along": 8, "across": 4},
            "output_times": 2,
            "end_displacement_mm": 0.3,
        }
    }
    return load(Campaign, demo, overrides)


def test_a_virtual_experiment_is_reproducible_noisy_and_finer(small: Campaign) -> None:
    one = virtual_experiment(small, "dp780", "dp780", seed=1, mesh=FINE)
    same = virtual_experiment(small, "dp780", "dp780", seed=1, mesh=FINE)
    other = virtual_experiment(small, "dp780", "dp780", seed=2, mesh=FINE)
    np.testing.assert_array_equal(one.strains, same.strains)
    np.testing.assert_array_equal(one.forces, same.forces)
    spread = np.std(one.strains - other.strains) / small.noise.strain
    assert spread == pytest.approx(np.sqrt(2), rel=0.25)  # 72 values
    assert one.header.truth.quantities["r_value_0"] == pytest.approx(0.776, abs=1e-3)
    specimens = one.header.specimens
    assert specimens.mesh == FINE
    assert specimens.steps_per_output > small.specimens.steps_per_output


def test_an_experiment_on_the_campaigns_mesh_is_refused(small: Campaign) -> None:
    with pytest.raises(ImpossibleExperiment, match="12 x 8 elements are not twice as many"):
        virtual_experiment(small, "dp780", "dp780", mesh=Mesh(along=12, across=8))


def test_an_alloy_of_another_family_is_refused(small: Campaign) -> None:
    sheet = small.sheet.model_copy(update={"yield_function": "barlat89"})
    other = small.model_copy(update={"sheet": sheet})
    with pytest.raises(ImpossibleExperiment, match=r"dp780: published as .* identifies barlat89"):
        virtual_experiment(other, "dp780", "dp780", mesh=FINE)


def test_an_isotropic_reference_shows_most_of_the_mesh_bias(small: Campaign) -> None:
    """What is left of a sheet's own bias is much smaller than the bias."""
    quiet = small.model_copy(
        update={"noise": small.noise.model_copy(update={"strain": 1e-12, "force_relative": 1e-12})}
    )
    fine = virtual_experiment(quiet, "tr1180", "tr1180", mesh=Mesh(along=48, across=24))
    coarse = _on_the_campaigns_mesh(quiet, fine.header.truth.parameters)
    bias = mesh_bias(small.material, small.specimens, 4)
    own = coarse - fine.strains
    assert np.linalg.norm(own - bias.strains) < 0.3 * np.linalg.norm(own)


def _on_the_campaigns_mesh(campaign: Campaign, parameters: dict[str, float]) -> np.ndarray:
    from hpc_jobs.fem.reference.simulation import simulate

    values = np.array(list(parameters.values()))
    return simulate(values, campaign.material, campaign.specimens).strains


def test_without_refinement_there_is_no_bias(small: Campaign) -> None:
    bias = mesh_bias(small.material, small.specimens, 1)
    assert not bias.strains.any()
    assert not bias.forces.any()


def test_refinement_changes_the_mesh_alone(campaign: Campaign) -> None:
    finer = refined(campaign.specimens, 3)
    assert (finer.mesh.along, finer.mesh.across) == (24, 12)
    assert finer.model_copy(update={"mesh": campaign.specimens.mesh}) == campaign.specimens


def test_the_script_writes_what_it_says(
    tmp_path: Path, demo: Path, small: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(demo.read_text())
    document["specimens"] = small.specimens.model_dump(mode="json")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(document))
    options = ["--campaign", str(tmp_path / "small.yaml"), "--seed", "1"]
    options += ["--mesh", "16", "8"]
    script.main([str(tmp_path), "aa6022", "--name", "sheet", *options])
    script.main([str(tmp_path), "aa6022", "--name", "sheet", "--csv", *options])
    said = capsys.readouterr().out
    assert "AA6022-T4" in said
    assert "alpha for exponent 6 from the published mechanical values" in said
    written = read_measurement(tmp_path / "sheet.h5")
    rows = np.loadtxt(tmp_path / "sheet.csv", delimiter=",", skiprows=1)
    assert rows.shape == (36, 6)
    np.testing.assert_allclose(written.strains, rows[:, 3:5].T.ravel(), atol=5.1e-7)


@pytest.mark.parametrize(("of", "name"), SHIPPED)
def test_what_ships_fits_its_campaign(of: str, name: str) -> None:
    campaign = load(Campaign, CAMPAIGNS / f"{of}.yaml")
    path = MEASUREMENTS / f"{name}.h5"
    measurement = read_for(campaign, path)
    assert name in campaign.validation.measurements
    assert path.stat().st_size < 100 * 1024
    mesh, own = measurement.header.specimens.mesh, campaign.specimens.mesh
    assert mesh.elements >= 4 * own.elements
    expected = "outside" if name.endswith("aa2090") else "inside"
    truth = measurement.header.truth
    assert position(truth, campaign.design.box, campaign.validation.limits) == expected


def test_the_shipped_example_can_be_imported(tmp_path: Path, demo: Path) -> None:
    shutil.copy(MEASUREMENTS / "example.csv", tmp_path)
    out = tmp_path / "example.h5"
    options = ["--campaign", str(demo), "--source", "the example that ships"]
    import_measurement.main([str(tmp_path / "example.csv"), str(out), *options])
    measurement = read_for(load(Campaign, demo), out)
    assert measurement.header.truth is None
    assert measurement.forces.shape == (30,)


@pytest.mark.slow
@pytest.mark.parametrize(("of", "name"), SHIPPED)
def test_what_ships_is_what_the_script_writes(tmp_path: Path, of: str, name: str) -> None:
    alloy, campaign = name.removeprefix("single-"), CAMPAIGNS / f"{of}.yaml"
    script.main([str(tmp_path), alloy, "--campaign", str(campaign), "--name", name])
    new = read_measurement(tmp_path / f"{name}.h5")
    shipped = read_measurement(MEASUREMENTS / f"{name}.h5")
    np.testing.assert_allclose(new.strains, shipped.strains, atol=2e-5)  # .04 noise
    np.testing.assert_allclose(new.forces, shipped.forces, rtol=2e-4)


@pytest.mark.parametrize("alloy", ["dp780", "dc04"])
def test_a_family_tests_a_sheet_with_a_curve_of_its_own(alloy: str) -> None:
    campaign = small_family()
    family, mesh = campaign.family, Mesh(along=24, across=12)
    found = virtual_experiment(campaign, alloy, alloy, mesh=mesh, nuisances=True)
    header, truth = found.header, found.header.truth
    assert truth is not None
    assert header.material is None
    assert truth.material is not None
    assert truth.material.hardening == ALLOYS[alloy].hardening
    assert header.knowledge == {
        "exponent": (6.0, 0.0),
        "youngs_modulus_mpa": (ALLOYS[alloy].youngs_modulus_mpa, 0.0),
    }
    # What the test house tells is the drawing; the truth knows better
    assert all(piece.angle_deg == 0 for piece in header.specimens.pieces)
    assert list(truth.coordinates) == list(family.names)
    nuisances = [truth.coordinates[family.names[i]] for i in family.columns("nuisance")]
    assert all(nuisances)
    # The sheet lies in the family, and its output times are its own
    assert truth.parameters is not None
    parameters = [[truth.parameters[name] for name in campaign.targets.values()]]
    places = places_of(campaign, np.array(parameters), np.array([list(truth.coordinates.values())]))
    assert np.all((places > 0) & (places < 1))
    last = [piece.displacements_mm[-1] for piece in header.specimens.pieces]
    assert (0.6 < min(last) < max(last) < 0.9) if alloy == "dp780" else min(last) > 1.2
    assert not foreign_fields(header, campaign)
