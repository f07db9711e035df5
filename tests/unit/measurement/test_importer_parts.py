"""The mechanics of an import, part by part, on fields whose strains are known exactly."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.geometry import Geometry, Patches
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.fem.specimen.mesh import half_width
from hpc_jobs.measurement.clocks import in_gap, join
from hpc_jobs.measurement.exported import recognise
from hpc_jobs.measurement.extensometer import widest
from hpc_jobs.measurement.file import UnusableMeasurement, refuse_to_overwrite
from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.isotropic import Curve
from hpc_jobs.measurement.noise import noise_of
from hpc_jobs.measurement.placement import Placement, place, plane_axes
from hpc_jobs.measurement.series import Series, Synchronisation
from hpc_jobs.measurement.strain import PatchFit, strain_tensor

SPACING = 0.25
PATCHES = Patches()


def _strip(margin: float = 0.3) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-14, 14, SPACING), np.arange(-10, 10, SPACING), indexing="ij")
    points = np.column_stack((x.ravel(), y.ravel()))
    return points[np.abs(points[:, 1]) < half_width(Geometry(), points[:, 0]) - margin]


def _frame(points: np.ndarray, moved: np.ndarray, **more: object) -> Frame:
    given = {"name": "f", "weights": np.ones(len(points)), "lost": 0} | more
    return Frame(points=points, displacements=moved, **given)


def _turn(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s], [s, c]])


HERE = Placement(origin=np.zeros(2), axes=np.eye(2), spacing=SPACING)


def test_a_rigid_motion_has_no_strain_and_a_stretch_has_its_logarithm() -> None:
    points = _strip()
    F = _turn(1.0) @ np.diag([1.08, 0.96])
    frame = _frame(points, points @ (F - np.eye(2)).T + [0.4, -0.3])
    strains = PatchFit(PATCHES)(frame, HERE).average()
    np.testing.assert_allclose(strains[0], np.log(1.08), atol=1e-9)
    np.testing.assert_allclose(strains[1], np.log(0.96), atol=1e-9)
    np.testing.assert_allclose(strains[2], 0, atol=1e-9)


def test_a_curved_field_is_averaged_to_a_tenth_of_what_a_plane_misses() -> None:
    points, length = _strip(), 8.0
    moved = np.column_stack((0.4 * np.tanh(points[:, 0] / length), 0 * points[:, 0]))
    found = PatchFit(PATCHES)(_frame(points, moved), HERE).average()[0]
    x = np.linspace(-6, 6, 6001)
    exact = np.log1p(0.4 / length / np.cosh(x / length) ** 2)
    averages = [exact[(x >= low) & (x <= low + 2)].mean() for low in range(-6, 6, 2)]
    np.testing.assert_allclose(found, np.repeat(averages, 3), atol=2e-5)


def test_outliers_do_not_count_and_a_patch_without_points_is_missing() -> None:
    points = _strip()
    moved = 0.05 * points * [1, -0.5]
    random = np.random.default_rng(1)
    spoilt = moved + 1e-4 * random.standard_normal(moved.shape)
    spoilt[random.choice(len(points), 40, replace=False)] += 0.5
    there = ~((points[:, 0] > 4) & (points[:, 1] > 1.6))
    found = PatchFit(PATCHES)(_frame(points[there], spoilt[there]), HERE).average()
    assert np.flatnonzero(np.isnan(found[0])).tolist() == [17]
    np.testing.assert_allclose(found[0, :17], np.log(1.05), atol=5e-4)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_notch_is_found_where_it_is(axis: str) -> None:
    shift, angle = np.array([1.3, -0.7]), 1.5
    camera = _turn(angle) @ (np.eye(2) if axis == "x" else np.array([[0, -1], [1, 0]]))
    frame = _frame(_strip() @ camera.T + shift, np.zeros((len(_strip()), 2)))
    found = place(frame, Geometry(), tensile_axis=axis, plane=plane_axes(frame.points))
    np.testing.assert_allclose(found.origin, shift, atol=0.1)
    assert found.angle_deg == pytest.approx(angle, abs=0.2)
    assert found.margin_mm == pytest.approx(0.3, abs=0.15)
    assert np.linalg.det(found.axes) == pytest.approx(1)


def test_a_rectangle_shows_no_notch() -> None:
    x, y = np.meshgrid(np.arange(-8, 8, 0.25), np.arange(-4, 4, 0.25))
    points = np.column_stack((x.ravel(), y.ravel()))
    frame = _frame(points, 0 * points)
    with pytest.raises(BadInput, match=r"do not end along the notch.*give origin"):
        place(frame, Geometry(), tensile_axis="x", plane=np.eye(2))


def test_the_extensometer_feels_stretch_and_no_turn() -> None:
    points = _strip()
    moved = points @ (_turn(2) @ np.diag([1.02, 1.0]) - np.eye(2)).T
    frame = _frame(points, moved)
    lines = widest([frame], HERE, Geometry())
    assert lines.half_length_mm > 10
    assert lines.extension(frame, HERE) == pytest.approx(0.04 * lines.half_length_mm, rel=1e-6)


def test_a_grid_too_coarse_for_a_line_and_an_origin_beside_the_points_are_named() -> None:
    sparse = _strip()[::97]
    coarse = Placement(origin=np.zeros(2), axes=np.eye(2), spacing=2.0)
    with pytest.raises(BadInput, match=r"points are 2 mm apart: 2 of them .* export a finer grid"):
        widest([_frame(sparse, 0 * sparse)], coarse, Geometry())
    points = _strip() + np.array([0.0, 12.0])
    with pytest.raises(BadInput, match=r"mm along .* to 2\d.* mm across.*correct origin"):
        widest([_frame(points, 0 * points)], HERE, Geometry())


@pytest.mark.parametrize("measure", ["ln", "engineering", "green_lagrange"])
@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_the_exported_measure_and_unit_are_recognised(measure: str, factor: float) -> None:
    points = _strip()
    moved = np.column_stack((0.6 * np.tanh(points[:, 0] / 8), -0.03 * points[:, 1]))
    slope = 0.6 / 8 / np.cosh(points[:, 0] / 8) ** 2
    F = np.zeros((len(points), 2, 2))
    F[:, 0, 0], F[:, 1, 1] = 1 + slope, 0.97
    tensor = factor * strain_tensor(F, measure)
    strains = np.column_stack((tensor[:, 0, 0], tensor[:, 1, 1], tensor[:, 0, 1]))
    found = recognise(_frame(points, moved, strains=strains), np.eye(2), SPACING)
    assert (found.measure, found.unit) == (measure, "1" if factor == 1 else "%")


def test_clocks_that_are_minutes_apart_are_joined_by_force_against_strain() -> None:
    extension = np.linspace(0, 0.8, 41)
    curve = Curve(extension, extension, 9000 * np.tanh(extension / 0.08))
    machine_s = np.arange(0, 30, 0.05)
    random = np.random.default_rng(2)
    told = curve.force_at(np.clip((machine_s - 5) * 0.04, 0, 0.8))
    force = 1.01 * told + 35 + 10 * random.standard_normal(len(machine_s))
    camera_s = np.arange(0, 22, 0.5) + 95
    extensions = np.clip((camera_s - 98) * 0.04, 0, 0.8)
    how = Synchronisation(method="force_against_strain")
    found = join(camera_s, extensions, machine_s, force, how, curve)
    assert found.shift_s == pytest.approx(-93, abs=0.02)
    assert found.scatter_n == pytest.approx(10, rel=0.3)
    with pytest.raises(BadInput, match="times are reversed"):
        join(camera_s, extensions, machine_s[::-1], force, how, curve)


def test_forces_in_another_unit_and_pauses_of_a_record_are_named() -> None:
    extension = np.linspace(0, 0.8, 41)
    curve = Curve(extension, extension, 9000 * np.tanh(extension / 0.08))
    machine_s, camera_s = np.arange(0, 25, 0.05), np.arange(0, 22, 0.5)
    force = curve.force_at(np.clip((machine_s - 3) * 0.04, 0, 0.8))
    extensions = np.clip((camera_s - 3) * 0.04, 0, 0.8)
    how = Synchronisation(method="force_against_strain")
    with pytest.raises(BadInput, match=r"forces span 9 N, .* bears 9000 N: is the force in ano"):
        join(camera_s, extensions, machine_s, force / 1000, how, curve)
    there = (machine_s < 8) | (machine_s > 10.1)
    found = join(camera_s, extensions, machine_s[there], force[there], how, curve)
    lost = camera_s[np.isnan(found.forces)]
    np.testing.assert_allclose(lost, [8.5, 9, 9.5, 10], atol=0.6)
    assert not in_gap(machine_s + 0.01, machine_s).any()


def test_the_reference_pictures_noise_is_taken_off_with_the_unloaded_mean() -> None:
    random, size = np.random.default_rng(3), 2e-4
    own = size * random.standard_normal((41, 2, 400))
    strains = own - own[0]  # every frame against the reference picture
    found = noise_of(strains[:11], 11)
    assert np.sqrt(np.mean(found.deviation**2)) == pytest.approx(size, rel=0.05)
    corrected = strains[11:] - found.offset
    assert corrected.std() == pytest.approx(size * np.sqrt(1 + 1 / 11), rel=0.05)


def test_a_series_says_what_is_wrong_with_an_entry() -> None:
    document = {"source": "x", "specimens": {45: {"frames": "*.csv", "unloaded": 3}}}
    series = parse(Series, document, "s.yaml")
    with pytest.raises(ConfigurationError, match=r"specimen 45: unloaded is 3.*unloaded_frames"):
        series.files_of("45", "s.yaml")
    good = parse(
        Series,
        {
            "source": "x",
            "defaults": {"frames": "*.csv", "measured": {"notch_width_mm": "10.02 +- .01"}},
            "specimens": {"0": {"measured": {"thickness_mm": 0.98}}},
        },
        "s.yaml",
    ).files_of("0", "s.yaml")
    assert good.measured.known("notch_width_mm") == (10.02, 0.01)
    assert good.measured.known("thickness_mm") == (0.98, 0.005)
    assert good.measured.known("width_mm") is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"scale_mm_per_pixel": 40}, "scale_mm_per_pixel is 40: .*mm, of one pixel"),
        ({"camera": {"rate_hz": 1e9}}, "camera.rate_hz is 1000000000.0: .*pictures a second"),
        ({"origin": [float("nan"), 0]}, "origin.*finite"),
    ],
)
def test_an_absurd_entry_is_refused(entry: dict[str, object], words: str) -> None:
    document = {"source": "x", "specimens": {"0": {"frames": "*.csv"} | entry}}
    with pytest.raises(ConfigurationError, match=words):
        parse(Series, document, "s.yaml").files_of("0", "s.yaml")


def test_one_specimen_under_two_spellings_is_refused() -> None:
    document = {"source": "x", "specimens": {45: {"frames": "a"}, "45": {"frames": "b"}}}
    with pytest.raises(ConfigurationError, match="45 is specimen 45, which is there already"):
        parse(Series, document, "s.yaml")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    table, out = tmp_path / "me.csv", tmp_path / "me.h5"
    table.write_text("a")
    with pytest.raises(UnusableMeasurement, match="the file to read as well as the one to write"):
        refuse_to_overwrite(table, table, force=True)
    out.write_text("another measurement")
    with pytest.raises(UnusableMeasurement, match=r"already; choose another name, or say --force"):
        refuse_to_overwrite(out, table)
    refuse_to_overwrite(out, table, force=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("source: Prüfer\n".encode("latin-1"), "line 1 is not UTF-8 text; save the file as UTF-8"),
        ("source: x\nspecimens: {0: {frames: a}}\n".encode("utf-16"), ""),
    ],
)
def test_an_encoding_of_yaml_is_named_or_read(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    if words:
        with pytest.raises(ConfigurationError, match=words):
            load(Series, path)
    else:
        assert list(load(Series, path).specimens) == ["0"]
    with pytest.raises(ConfigurationError, match="a folder, not a YAML file; in it there are: s"):
        load(Series, tmp_path)


def test_the_drift_of_two_clocks_is_found_where_holds_tell_it() -> None:
    ramp = np.linspace(0, 1, 201)
    curve = Curve(ramp, ramp, 5000 * np.tanh(ramp / 0.05) + 3000 * ramp)
    hold = 200.0  # seconds; ten pulls of 10 s, and holds between them
    moments = np.array([t for k in range(10) for t in (hold * k + 50, hold * k + 60)])
    steps = np.array([e for k in range(10) for e in (k / 10, (k + 1) / 10)])

    def extension(time: np.ndarray) -> np.ndarray:
        return np.interp(time, moments, steps)

    camera_s = np.arange(0, 1900, 0.5)
    drift, shift = 1.5e-4, 2.0
    machine_s = np.arange(0, 1950, 0.05)
    random = np.random.default_rng(5)
    force = curve.force_at(extension((machine_s - shift) / (1 + drift)))
    force += 5 * random.standard_normal(len(force))
    how = Synchronisation(method="force_against_strain", largest_shift_s=5)
    found = join(camera_s, extension(camera_s), machine_s, force, how, curve)
    assert found.drift == pytest.approx(drift, abs=2e-5) and found.drift_sd < 3e-5
    late = found.machine_time(np.array([1800.0]))[0]
    assert late == pytest.approx(1800 * (1 + drift) + shift, abs=0.05)
    assert "in a million" in found.notes[0]


def test_a_monotonic_pull_tells_no_drift() -> None:
    extension = np.linspace(0, 0.8, 41)
    curve = Curve(extension, extension, 9000 * np.tanh(extension / 0.08))
    machine_s = np.arange(0, 30, 0.05)
    stiffer = 1 + 0.1 * np.clip((machine_s - 5) / 20, 0, 1)  # a sheet that hardens more
    force = stiffer * curve.force_at(np.clip((machine_s - 5) * 0.04, 0, 0.8))
    camera_s = np.arange(0, 22, 0.5)
    extensions = np.clip((camera_s - 3) * 0.04, 0, 0.8)
    how = Synchronisation(method="force_against_strain")
    found = join(camera_s, extensions, machine_s, force, how, curve)
    assert abs(found.drift) < 1e-5 and found.drift_sd == pytest.approx(1e-4, rel=0.05)
