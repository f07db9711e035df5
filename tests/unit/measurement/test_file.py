from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.measurement.file import (
    Measurement,
    UnusableMeasurement,
    read_for,
    read_measurement,
    write_measurement,
)

Change = Callable[..., Measurement]


@pytest.mark.parametrize("with_forces", [True, False])
def test_a_measurement_survives_the_round_trip(
    tmp_path: Path, changed: Change, with_forces: bool
) -> None:
    written = changed() if with_forces else changed(forces=None)
    write_measurement(tmp_path / "bench.h5", written)
    read = read_measurement(tmp_path / "bench.h5")
    assert read.header == written.header
    np.testing.assert_array_equal(read.strains, written.strains)
    if with_forces:
        np.testing.assert_array_equal(read.forces, written.forces)
    else:
        assert read.forces is None


@pytest.mark.parametrize(
    ("what", "spoil", "words"),
    [
        ("strains", lambda strains: strains * 100, ["largest strain is 8.8", "percent"]),
        ("strains", lambda strains: strains * 1e-3, ["8.8e-05", "stayed elastic"]),
        ("strains", lambda strains: -strains, ["exx at the last time is -", "swapped"]),
        ("strains", np.abs, ["eyy at the last time is", "shrink"]),
        ("strains", lambda strains: strains[:-1], ["shape (1079,)", "(1080,)"]),
        ("strains", lambda strains: np.where(strains > 0.08, np.nan, strains), ["not finite"]),
        ("forces", lambda forces: forces / 1000, ["largest force is 8", "newtons"]),
        ("forces", lambda forces: forces * 1000, ["largest force is 8", "newtons"]),
        ("forces", lambda forces: -forces, ["largest force is -", "tension positive"]),
        ("forces", lambda forces: forces[:3], ["forces has shape (3,)", "(30,)"]),
        (
            "strain_deviation",
            lambda none: np.full(1080, 5.0),
            ["strain_deviation is 5 in the median", "between 1e-06 and 0.02"],
        ),
        ("strain_deviation", lambda none: np.full(1080, 1e-9), ["strain_deviation is 1e-09"]),
        ("noise_correlation", lambda none: np.full((36, 36), np.nan), ["not finite"]),
        (
            "noise_correlation",
            lambda none: 2 * np.ones((36, 36)) - np.eye(36),
            ["no correlation", "no negative eigenvalue"],
        ),
    ],
)
def test_rubbish_is_refused_by_name_value_and_remedy(
    tmp_path: Path,
    measurement: Measurement,
    changed: Change,
    what: str,
    spoil: Callable[[np.ndarray], np.ndarray],
    words: list[str],
) -> None:
    spoilt = changed(**{what: spoil(getattr(measurement, what))})
    with pytest.raises(UnusableMeasurement) as refusal:
        write_measurement(tmp_path / "bench.h5", spoilt)
    assert not list(tmp_path.iterdir())
    for word in ["bench: ", *words]:
        assert word in str(refusal.value)


def test_a_measurement_of_another_campaign_is_refused_field_by_field(
    tmp_path: Path,
    campaign: Campaign,
    measurement: Measurement,
    changed: Change,
) -> None:
    header = measurement.header
    specimens = header.specimens.model_copy(
        update={
            "angles_deg": (0.0, 30.0, 90.0),
            "geometries": (header.specimens.geometries[0].model_copy(update={"width_mm": 22.0}),),
            "patches": header.specimens.patches.model_copy(update={"region_length_mm": 11.0}),
        }
    )
    material = header.material.model_copy(update={"exponent": 8.0})
    foreign = changed(
        header=header.model_copy(update={"specimens": specimens, "material": material})
    )
    write_measurement(tmp_path / "bench.h5", foreign)
    with pytest.raises(UnusableMeasurement) as refusal:
        read_for(campaign, tmp_path / "bench.h5")
    lines = str(refusal.value).splitlines()
    assert len(lines) == 4
    assert "specimens.angles_deg is (0.0, 30.0, 90.0)" in lines[0]
    assert "specimens.geometries.0.width_mm is 22.0" in lines[1]
    assert "specimens.patches.region_length_mm is 11.0" in lines[2]
    assert "material.exponent is 8.0, campaign 'single_sheet' simulates 6.0" in lines[3]


def test_the_mesh_may_differ_from_the_campaigns(
    tmp_path: Path,
    campaign: Campaign,
    measurement: Measurement,
    changed: Change,
) -> None:
    finer = measurement.header.specimens.model_copy(
        update={"mesh": campaign.specimens.mesh.model_copy(update={"along": 64, "across": 32})}
    )
    header = measurement.header.model_copy(update={"specimens": finer})
    write_measurement(tmp_path / "bench.h5", changed(header=header))
    assert read_for(campaign, tmp_path / "bench.h5").header == header


def test_a_renamed_file_is_refused(
    tmp_path: Path, campaign: Campaign, measurement: Measurement
) -> None:
    write_measurement(tmp_path / "other.h5", measurement)
    with pytest.raises(UnusableMeasurement, match="holds the measurement 'bench'; rename"):
        read_for(campaign, tmp_path / "other.h5")


def test_missing_and_foreign_files_are_refused(tmp_path: Path, header: MeasurementHeader) -> None:
    with pytest.raises(UnusableMeasurement, match="no such file"):
        read_measurement(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("exx,eyy\n")
    with pytest.raises(UnusableMeasurement, match="not a measurement file"):
        read_measurement(tmp_path / "text.h5")
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        file["strains"] = np.zeros(3)
    with pytest.raises(UnusableMeasurement, match="not a measurement file"):
        read_measurement(tmp_path / "bare.h5")
    with h5py.File(tmp_path / "newer.h5", "w") as file:
        file.attrs["header"] = header.model_dump_json().replace('version":1', 'version":2')
        file["strains"] = np.zeros(3)
    with pytest.raises(UnusableMeasurement, match="not a measurement file"):
        read_measurement(tmp_path / "newer.h5")
