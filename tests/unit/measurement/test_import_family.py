"""A filmed sheet of a family comes back with its own output times, and what was told of it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import FromYield
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.measurement.camera.defects import REALISTIC, Optics
from hpc_jobs.measurement.camera.description import describe
from hpc_jobs.measurement.camera.series import KnownSheet, film_series
from hpc_jobs.measurement.csv_format import write_csv
from hpc_jobs.measurement.file import foreign_fields, read_for, write_measurement
from hpc_jobs.measurement.importer import import_series
from hpc_jobs.measurement.measured import Measurement
from hpc_jobs.measurement.series import load_series
from hpc_jobs.tools import import_measurement
from tests.harness.families import small_family

STEEL = KnownSheet(
    parameters=np.array(
        [0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556]
    ),
    material=Material(
        exponent=6,
        youngs_modulus_mpa=200_000,
        poisson_ratio=0.33,
        hardening=Swift(strength_mpa=1100, prestrain=0.004, exponent=0.13),
    ),
)
OPTICS = Optics(pixel_mm=0.05, strain_window=3)


@pytest.fixture(scope="module")
def family() -> Campaign:
    return small_family(specimens={"angles_deg": [45]})


@pytest.fixture(scope="module")
def filmed(family, tmp_path_factory):
    """Folder of a series that was pulled to its peak force, and the sheet's own output times."""
    folder = tmp_path_factory.mktemp("filmed")
    fine = MESH_LEVELS["production"]
    timed, reason = with_output_times(STEEL.parameters, STEEL.material, family.specimens, fine)
    to_peak = family.specimens.model_copy(update={"timing": FromYield(peak_share=0.9995)})
    pulled, _ = with_output_times(STEEL.parameters, STEEL.material, to_peak, fine)
    assert not reason
    series = film_series(
        folder,
        STEEL,
        pulled,
        layout="vic_3d",
        defects=REALISTIC,
        optics=OPTICS,
        mesh=MESH_LEVELS["coarse"],
    )
    document = {**describe(series), "knowledge": {"youngs_modulus_mpa": "200000 +- 2000"}}
    (folder / "series.yaml").write_text(yaml.safe_dump(document))
    return folder, np.array(timed.displacements_mm)[0]


def _series(folder: Path, **changes):
    document = yaml.safe_load((folder / "series.yaml").read_text()) | changes
    changed = folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(document))
    return load_series(changed)


@pytest.fixture(scope="module")
def measurement(family, filmed) -> Measurement:
    folder, _ = filmed
    series = load_series(folder / "series.yaml")
    return import_series(series, "steel", "series.yaml", folder, family)[0]


def test_the_output_times_of_a_filmed_sheet_are_its_own(family, filmed, measurement, tmp_path):
    _, times = filmed
    header: MeasurementHeader = measurement.header
    found = np.array(header.specimens.displacements_mm)[0]
    np.testing.assert_allclose(found, times, rtol=0.03, atol=0.005)
    assert header.material is None and header.specimens.is_timed
    assert header.knowledge["youngs_modulus_mpa"] == (200_000, 2_000)
    assert set(family.family.names) >= {"angle_deg@45", "notch_width_mm@45"}
    assert "notch_width_mm@45" in header.knowledge
    assert not foreign_fields(header, family)
    assert any("exponent is not told" in note for note in header.notes)
    write_measurement(tmp_path / "steel.h5", measurement)
    assert read_for(family, tmp_path / "steel.h5").header == header


def test_without_a_force_there_are_no_output_times(family, filmed):
    folder, _ = filmed
    series = yaml.safe_load((folder / "series.yaml").read_text())
    del series["specimens"]["45"]["machine"]
    with pytest.raises(BadInput, match=r"no force was measured, but .* has specimens\.timing"):
        import_series(_series(folder, **series), "steel", "s", folder, family)


@pytest.mark.parametrize(
    ("knowledge", "words"),
    [
        (
            {"youngs_modulus_gpa": 200},
            "youngs_modulus_gpa is no coordinate .* has exponent, youngs",
        ),
        ({"youngs_modulus_mpa": 200}, "is 200 MPa, .* between 65000 and 215000"),
    ],
)
def test_what_is_told_of_a_sheet_must_be_one_of_the_family(family, filmed, knowledge, words):
    folder, _ = filmed
    with pytest.raises(ConfigurationError, match=words):
        import_series(_series(folder, knowledge=knowledge), "steel", "s.yaml", folder, family)


def _as_csv(measurement: Measurement, family: Campaign, folder: Path, lines=None, more=()):
    """Import a family's CSV by its tool; `lines` changes the lines before."""
    campaign, table = folder / "family.yaml", folder / "steel.csv"
    campaign.write_text(yaml.safe_dump(family.model_dump(mode="json", exclude_unset=True)))
    write_csv(table, measurement)
    if lines:
        table.write_text("\n".join(lines(table.read_text().splitlines())))
    out = folder / "steel.h5"
    known = ["--known", "youngs_modulus_mpa=200000 +- 2000"]
    arguments = [table, out, "--campaign", campaign, "--source", "bench 2", *known, *more]
    import_measurement.main([str(one) for one in arguments])
    return read_for(family, out)


def test_a_family_has_a_csv_with_displacements(family, measurement, tmp_path, capsys):
    read = _as_csv(measurement, family, tmp_path)
    np.testing.assert_allclose(read.strains, measurement.strains, atol=5.1e-7)
    found, wanted = (one.header.specimens.displacements_mm for one in (read, measurement))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert read.header.material is None
    assert read.header.knowledge == {"youngs_modulus_mpa": (200_000, 2_000)}
    assert "exponent is not told" in capsys.readouterr().err


def test_what_is_told_twice_is_refused(family, measurement, tmp_path):
    again = ["--known", "youngs_modulus_mpa=210000"]
    with pytest.raises(SystemExit, match="--known: youngs_modulus_mpa is given twice"):
        _as_csv(measurement, family, tmp_path, more=again)
    assert not (tmp_path / "steel.h5").exists()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (lambda table: [line.rsplit(",", 1)[0] for line in table], "'displacement' is missing; .*"),
        (
            lambda table: [table[0], *(line.rsplit(",", 1)[0] + ",0.3" for line in table[1:])],
            "specimen 45: the displacement at time 2 is 0.3 mm; let displacements .* increase",
        ),
        (
            lambda table: [table[0] + " [m]", *table[1:]],
            "column 'displacement' is in 'm'; known are mm",
        ),
    ],
)
def test_displacements_that_cannot_be_are_refused(family, measurement, tmp_path, lines, words):
    with pytest.raises(SystemExit, match=words):
        _as_csv(measurement, family, tmp_path, lines)
