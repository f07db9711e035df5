"""A filmed specimen of a campaign of one sheet: strains and forces come back at even times."""

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.loading import load
from hpc_jobs.measurement.camera.defects import REALISTIC, Optics
from hpc_jobs.measurement.camera.description import write_description
from hpc_jobs.measurement.camera.series import KnownSheet, film_series
from hpc_jobs.measurement.file import foreign_fields
from hpc_jobs.measurement.importer import import_series
from hpc_jobs.measurement.series import load_series
from tests.harness.families import DEMO

ALPHA = [0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556]
END_MM, TIMES = 0.5, 5


@pytest.mark.parametrize(
    ("own", "shared"), [({}, END_MM), ({"end_displacement_mm": END_MM}, 3.0)], ids=["all", "own"]
)
def test_the_record_of_the_specimen_comes_back(tmp_path, own, shared):
    specimens = {"angles_deg": [45], "end_displacement_mm": shared, "output_times": TIMES}
    changes = {"specimens": {**specimens, "geometries": [own]}}
    campaign = load(Campaign, DEMO, changes)
    series = film_series(
        tmp_path,
        KnownSheet(parameters=np.array(ALPHA), material=campaign.material),
        campaign.specimens,
        layout="vic_3d",
        defects=REALISTIC,
        optics=Optics(pixel_mm=0.05, strain_window=3),
        mesh=MESH_LEVELS["coarse"],
    )
    path = write_description(series)
    measurement, [found] = import_series(load_series(path), "m", path.name, tmp_path, campaign)
    np.testing.assert_allclose(found.displacements, END_MM * np.arange(1, TIMES + 1) / TIMES)
    assert not foreign_fields(measurement.header, campaign)
    true = series.hidden[0]
    gaps = (measurement.strains - true.strains.ravel()) / measurement.deviation
    seen = np.isfinite(gaps)
    assert seen.mean() > 0.8
    assert np.sqrt(np.mean(gaps[seen] ** 2)) < 4, "in units of the noise; the lines tell the times"
    np.testing.assert_allclose(measurement.forces, true.output_forces_n, rtol=0.025)
