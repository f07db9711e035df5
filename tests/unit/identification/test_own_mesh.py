"""The examination of a single sheet takes off what the campaign's mesh does to that very sheet.

An aluminium sheet, whose mesh bias is unlike an isotropic one's, is examined by its records on a
mesh four times finer, without noise.
"""

import numpy as np
import pytest

from benchmarks.trips.cases import case_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.record import Record, failed
from hpc_jobs.identification.mesh_bias import all_refined, mesh_bias_of, on_mesh
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.nuisances.examine import examine
from hpc_jobs.identification.nuisances.own_mesh import own_bias
from hpc_jobs.identification.resimulated import resimulate
from hpc_jobs.identification.verdict import judge
from hpc_jobs.measurement.file import Measurement

ALONG = 24
SHEET = case_of("aa6022")
BIAXIAL = "stress_ratio_biaxial"
NOT_ASKED = Estimate(
    measurement="sheet",
    parameters=None,
    outside=("no network was asked",),
    novelty=0.0,
    novelty_limit=3.0,
)


class NoFinerMesh:
    """A solver that has no memory, say, for a finer mesh than the campaign's."""

    def missing(self) -> str:
        """Nothing: the native one does the work."""
        return backend_of("native")[1].missing()

    def prepare(self, campaign: Campaign) -> str:
        """Prepare that one."""
        return backend_of("native")[1].prepare(campaign)

    def simulate(self, parameters: np.ndarray, material: Material, specimens: Specimens) -> Record:
        """Simulate, or fail."""
        if specimens.mesh.along > ALONG:
            return failed("failed", "no memory", specimens)
        return backend_of("native")[1].simulate(parameters, material, specimens)


NO_FINER_MESH = NoFinerMesh()


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Return the sheet's campaign on a mesh half as fine as production's."""
    mesh = SHEET.campaign.specimens.mesh.model_copy(update={"along": ALONG, "across": 12})
    changes = {"mesh": mesh, "output_times": 4, "steps_per_output": 1}
    return SHEET.campaign.model_copy(
        update={
            "solver": "native",
            "specimens": SHEET.campaign.specimens.model_copy(update=changes),
            "validation": SHEET.campaign.validation.model_copy(update={"mesh_refinement": 2}),
        }
    )


@pytest.fixture(scope="module")
def measured(campaign: Campaign) -> Measurement:
    record = backend_of("native")[1].simulate(
        SHEET.parameters, campaign.material, all_refined(campaign.specimens, 4)
    )
    assert record.status == "ok", record.reason
    header = MeasurementHeader(
        name="sheet",
        source="a fine mesh",
        material=campaign.material,
        specimens=campaign.specimens,
        noise=Noise(strain=2e-4, force_relative=0.005),
    )
    return Measurement(header=header, strains=record.strains, forces=record.forces)


def test_the_biaxial_stress_is_that_of_the_sheet_not_that_of_its_mesh(
    campaign: Campaign, measured: Measurement
) -> None:
    bias = mesh_bias_of(campaign)
    rough = examine(campaign, on_mesh(measured, bias), mistakes=False).examination
    assert rough.quantities[BIAXIAL][0] - SHEET.true[BIAXIAL] > 0.005, (
        "an isotropic sheet's bias is wrong for it"
    )
    found = with_examination(campaign, measured, NOT_ASKED, bias)
    assert found.freed and found.unsharpened == "" and found.examination is not None
    value, deviation = found.examination.quantities[BIAXIAL]
    assert abs(value - SHEET.true[BIAXIAL]) < 0.0025 < deviation
    assert found.examination.rms < 0.3
    assert found.simulations > 400, "all examinations, and the sheet on both meshes twice, count"
    # and it is simulated again as it was examined: on both meshes
    fields = [
        resimulate(campaign, found.model_copy(update={"freed": freed}), bias)
        for freed in (False, True)
    ]
    noise = measured.header.noise.strain
    of_isotropic, of_own = (
        np.sqrt(np.mean((field.strains - measured.strains) ** 2)) / noise for field in fields
    )
    assert of_own < 0.5 * of_isotropic
    assert fields[1].own_bias is not None and fields[0].own_bias is None


def test_it_is_most_of_what_the_mesh_does_to_the_sheet(
    campaign: Campaign, measured: Measurement
) -> None:
    sheet = np.array([SHEET.true[axis] for axis in MATERIALS["yld2000_2d"].tests])
    bias = own_bias(campaign, measured, sheet)
    coarse = backend_of("native")[1].simulate(
        SHEET.parameters, campaign.material, campaign.specimens
    )
    left = coarse.strains - bias.strains - measured.strains
    before = coarse.strains - measured.strains
    assert np.sqrt(np.mean(left**2)) < 0.4 * np.sqrt(np.mean(before**2))


def test_without_a_finer_mesh_the_answer_stays_and_says_so(
    campaign: Campaign, measured: Measurement
) -> None:
    alone = campaign.model_copy(update={"solver": f"{__name__}:NO_FINER_MESH"})
    found = with_examination(alone, measured, NOT_ASKED, mesh_bias_of(campaign))
    assert found.parameters is not None and not found.freed
    assert "the campaign's mesh still moves it: on a mesh 2 times finer" in found.unsharpened
    assert "no memory" in found.unsharpened
    limits, box = campaign.validation.limits, campaign.design.box
    judged = judge(found, {}, None, {}, None, box, limits)
    assert judged.verdict == "reservations" and "no memory" in judged.reasons[-1]
