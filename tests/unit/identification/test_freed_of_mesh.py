"""The engine's answer is freed of all that the campaign's mesh does to the very sheet, once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.record import Record, failed
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification import by_fem
from hpc_jobs.identification.by_fem import Sharpened, answer_by_fem, sharpened
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.mesh_bias import MeshBias, all_refined, mesh_bias_of, refined
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.quantities import quantities_of
from hpc_jobs.identification.resimulated import read_field, resimulate, write_field
from hpc_jobs.identification.verdict import judge
from hpc_jobs.measurement.measured import Measurement
from tests.harness.families import DEMO, small_family
from tests.unit.identification.test_nuisances import DP780
from tests.unit.identification.test_sharpened import MATERIAL, SHEET, TRUE, far_off

NOISE = Noise(strain=5e-4, force_relative=0.005)
FAMILY = small_family(
    specimens={"mesh": {"along": 16, "across": 8}}, validation={"mesh_refinement": 3}
)
SEEN = QUANTITIES[:6]  # the biaxial r-value hardly is
COARSE = {
    "specimens": {"mesh": {"along": 12, "across": 6}},
    "solver": "native",
    "validation": {"updating": False, "mesh_refinement": 2},
}


def near() -> Estimate:
    """Return a surrogate's answer whose r-values are off by .03, stress ratios by .004."""
    found = far_off().found
    values = {name: TRUE[name] + 0.2 * (one.value - TRUE[name]) for name, one in found.items()}
    less = {name: one.model_copy(update={"value": values[name]}) for name, one in found.items()}
    return far_off().model_copy(update={"found": less, "coordinates": SHEET})


def pulled(specimens: Specimens, material: Material) -> Record:
    """Pull DP780 without noise, on a mesh and in steps that leave a sixteenth of the error."""
    steps = 16 * specimens.steps_per_output
    fine = refined(specimens, 4).model_copy(update={"steps_per_output": steps})
    record = backend_of("native")[1].simulate(DP780, material, fine)
    assert record.status == "ok", record.reason
    return record


def nothing_of(campaign: Campaign) -> Campaign:
    """Return the campaign with its mesh's error left in its answers."""
    validation = campaign.validation.model_copy(update={"mesh_refinement": 1})
    return campaign.model_copy(update={"validation": validation})


@pytest.fixture(scope="module")
def measured() -> Measurement:
    """Return the family's measurement."""
    timed, reason = with_output_times(DP780, MATERIAL, FAMILY.specimens)
    assert not reason
    pieces = tuple(Piece(displacements_mm=piece.displacements_mm) for piece in timed.pieces)
    timed = timed.model_copy(update={"pieces": pieces})
    header = MeasurementHeader(
        name="sheet",
        source="a fine mesh",
        specimens=timed,
        noise=NOISE,
        knowledge={"exponent": (6.0, 0.0), "youngs_modulus_mpa": (200_000.0, 0.0)},
    )
    record = pulled(timed, MATERIAL)
    return Measurement(header=header, strains=record.strains, forces=record.forces)


@pytest.fixture(scope="module")
def asked(measured: Measurement) -> Sharpened:
    """Return the family's sheet, freed of what the mesh does to it."""
    return sharpened(FAMILY, measured, near(), mesh_bias_of(FAMILY))


def errors(estimate: Estimate, truth: dict[str, float]) -> dict[str, float]:
    return {name: abs(estimate.found[name].value - truth[name]) for name in SEEN}


def assert_near(estimate: Estimate, truth: dict[str, float]) -> None:
    for name, error in errors(estimate, truth).items():
        assert error < (0.02 if name.startswith("r_") else 0.006), f"{name} is off by {error}"


def test_of_a_single_sheet_the_mesh_is_taken_off_once() -> None:
    campaign = load(Campaign, DEMO, COARSE)
    record = pulled(campaign.specimens, campaign.material)
    header = MeasurementHeader(
        name="dp780",
        source="a fine mesh",
        material=campaign.material,
        specimens=campaign.specimens,
        noise=campaign.noise,
    )
    measurement = Measurement(header=header, strains=record.strains, forces=record.forces)
    rough = nothing_of(campaign)
    left = answer_by_fem(rough, measurement, mesh_bias_of(rough)).estimate
    assert left.novelty > 1.5, "what the mesh does is no small thing here"
    estimate = answer_by_fem(campaign, measurement, mesh_bias_of(campaign)).estimate
    assert estimate.outside == () and estimate.unsharpened == ""
    assert estimate.freed and not left.freed
    assert estimate.novelty < 0.4
    assert_near(estimate, quantities_of(DP780, campaign.material))


def test_of_a_family_s_sheet_the_mesh_is_taken_off(asked: Sharpened) -> None:
    assert asked.estimate.method == "fem" and asked.estimate.unsharpened == ""
    assert asked.estimate.novelty < 0.4
    assert_near(asked.estimate, TRUE)


def test_an_examination_and_a_re_simulation_keep_what_was_taken_off(
    tmp_path: Path, measured: Measurement, asked: Sharpened
) -> None:
    examined = with_examination(FAMILY, measured, asked.estimate, asked.bias)
    assert examined.examination is not None and examined.examination.rms < 0.4
    assert not any("undone" in one for one in examined.examination.reservations)
    assert_near(examined, TRUE)
    assert examined.freed
    none = mesh_bias_of(FAMILY)
    specimens = measured.header.specimens
    misses = []
    for freed in (False, True):
        told = examined.model_copy(update={"freed": freed})
        field = resimulate(FAMILY, told, none, specimens)
        misses.append(np.sqrt(np.mean((field.strains - measured.strains) ** 2)) / NOISE.strain)
    assert misses[1] < 0.5 < misses[0], "the very sheet, and what its coarse mesh adds"
    write_field(tmp_path / "field.h5", field)
    again = read_field(tmp_path / "field.h5", examined)
    assert field.own_bias is not None and again.own_bias is not None
    np.testing.assert_array_equal(again.own_bias.strains, field.own_bias.strains)
    np.testing.assert_array_equal(again.own_bias.forces, field.own_bias.forces)


class NoFinerMesh(Engine):
    """An engine that has no memory, say, for a finer mesh."""

    def simulate(self, u: np.ndarray) -> Record:
        """Simulate on the campaign's mesh alone."""
        if self.specimens.mesh.along > FAMILY.specimens.mesh.along:
            self.simulations += 1
            raise NoSheet("the simulation ended with 'failed': no memory")
        return super().simulate(u)


def test_without_a_finer_mesh_the_answer_stays_and_says_so(
    measured: Measurement, asked: Sharpened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_fem, "Engine", NoFinerMesh)
    rough = sharpened(FAMILY, measured, near(), mesh_bias_of(FAMILY))
    assert rough.estimate.method == "fem" and rough.estimate.outside == ()
    assert rough.estimate.novelty > asked.estimate.novelty
    assert not rough.estimate.freed and not rough.bias.strains.any()
    limits, box = FAMILY.validation.limits, FAMILY.design.box
    judged = judge(rough.estimate, {}, None, {}, None, box, limits)
    assert judged.verdict == "reservations"
    assert "the campaign's mesh still moves it: on a mesh 3 times finer" in judged.reasons[-1]
    assert "no memory" in judged.reasons[-1]


def test_where_the_engine_finds_no_sheet_the_surrogate_s_stays_and_says_why(
    measured: Measurement,
) -> None:
    strange = replace(measured, strains=1.5 * measured.strains)
    kept = sharpened(FAMILY, strange, near(), mesh_bias_of(FAMILY)).estimate
    assert kept.method == "surrogate" and kept.parameters == near().parameters
    assert kept.unsharpened.startswith("it is the surrogate's: ")
    assert 10 < kept.simulations <= 120, "what was simulated in vain counts"
    unseen = near().model_copy(update={"found": {}})
    lacking = sharpened(FAMILY, measured, unseen, mesh_bias_of(FAMILY)).estimate
    assert "without r_value_0, r_value_45" in lacking.unsharpened


def test_a_bias_is_what_endlessly_fine_meshes_and_steps_would_leave() -> None:
    """Errors h^2 and dt: of a mesh twice as fine in four times more steps a quarter is left."""
    specimens = FAMILY.specimens
    fine = all_refined(specimens, 2)
    assert (fine.mesh.along, fine.mesh.across) == (32, 16)
    assert fine.steps_per_output == 4 * specimens.steps_per_output
    blank = failed("failed", "made up", specimens)
    strains, forces = np.full(specimens.strain_values, 0.02), np.full(specimens.force_values, 1e3)
    rough = replace(blank, strains=strains + 4e-4, forces=forces * 1.04)
    finer = replace(blank, strains=strains + 1e-4, forces=forces * 1.01)
    freed = MeshBias.between(rough, finer, 2).taken_off(rough)
    np.testing.assert_allclose(freed[0], strains)
    np.testing.assert_allclose(freed[1], forces, rtol=1e-3)
