"""A virtual camera shows what the engine computed, with the defects that were asked for alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat

from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.camera.defects import NONE, REALISTIC, Defects, Optics
from hpc_jobs.measurement.camera.film import Film, _lost
from hpc_jobs.measurement.camera.layouts import LAYOUTS
from hpc_jobs.measurement.camera.machine_file import MACHINES
from hpc_jobs.measurement.camera.picture import picture_of
from hpc_jobs.measurement.camera.series import (
    ImpossibleFilm,
    KnownSheet,
    Shot,
    shoot_series,
    write_series,
)

COARSE = MESH_LEVELS["coarse"]
SPECIMENS = Specimens(angles_deg=(30.0,), end_displacement_mm=0.5, output_times=4)
SHEET = KnownSheet(
    parameters=np.array(
        [0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556]
    ),
    material=Material(
        exponent=6,
        youngs_modulus_mpa=200_000,
        poisson_ratio=0.33,
        hardening=Swift(strength_mpa=1100, prestrain=0.003, exponent=0.16),
    ),
)
OPTICS = Optics(pixel_mm=0.05, strain_window=3)


def shoot(defects: Defects, seed: int = 1) -> Shot:
    [shot] = shoot_series(SHEET, SPECIMENS, defects=defects, optics=OPTICS, mesh=COARSE, seed=seed)
    return shot


@pytest.fixture(scope="module")
def perfect() -> Shot:
    return shoot(NONE)


@pytest.fixture(scope="module")
def realistic() -> Shot:
    return shoot(REALISTIC)


def patch_means(film: Film, strains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean (frames, patches, 2) of xx and yy over the points of each of 3 x 6 patches."""
    x, y = film.positions[..., 0], film.positions[..., 1]
    along = np.floor((x + 6) / 2).astype(int)
    across = np.floor((y + 4.5) / 3).astype(int)
    within = film.inside & (along >= 0) & (along < 6) & (across >= 0) & (across < 3)
    patch = np.where(within, 3 * along + across, -1)
    means = [strains[:, patch == number, :2].mean(axis=1) for number in range(18)]
    return np.stack(means, axis=1)


def test_a_perfect_film_shows_the_strains_of_the_record(perfect: Shot) -> None:
    """At the last output time; what is left is the curvature within a patch and its edges."""
    film, hidden = perfect.film, perfect.hidden
    found = patch_means(film, picture_of(film, measure="hencky").strains)
    u = hidden.end_displacements_mm
    at_end = [np.interp(0.5, u, found[:, p, c]) for c in range(2) for p in range(18)]
    expected = hidden.strains[:, :, -1].ravel()
    # 3e-4 to 1.1e-3 are usual for exported strains averaged over a patch
    assert np.sqrt(np.mean((np.array(at_end) - expected) ** 2)) < 1.5e-3
    assert np.abs(expected).max() > 0.03


def test_a_measure_is_what_its_name_says(perfect: Shot) -> None:
    """In tension Green-Lagrange exceeds engineering, which exceeds ln U, by half their squares."""
    film = perfect.film
    log, engineering, green = (
        picture_of(film, measure=measure).strains[-1][film.inside]
        for measure in ("hencky", "engineering", "green_lagrange")
    )
    square = log[:, 0] ** 2 + log[:, 2] ** 2  # of the tensor, its xx
    np.testing.assert_allclose(engineering[:, 0] - log[:, 0], square / 2, rtol=0.1, atol=5e-6)
    np.testing.assert_allclose(green[:, 0] - engineering[:, 0], square / 2, rtol=0.2, atol=5e-6)


def test_the_same_seed_gives_the_same_film() -> None:
    """And another one another."""
    one, same, other = shoot(REALISTIC), shoot(REALISTIC), shoot(REALISTIC, seed=2)
    np.testing.assert_array_equal(one.film.displacements, same.film.displacements)
    np.testing.assert_array_equal(one.log.forces_n, same.log.forces_n)
    assert one.hidden.geometry != other.hidden.geometry


def test_noise_has_its_size_and_is_shared_within_a_subset() -> None:
    """Half the variance comes from the reference; points a subset apart are independent."""
    defects = replace(NONE, noise_px=0.02)
    film = shoot(defects).film
    unloaded = film.displacements[1 : OPTICS.unloaded_frames, ..., 0] / OPTICS.pixel_mm
    assert unloaded.std() == pytest.approx(0.02, rel=0.1)
    shared = np.mean(unloaded[0] * unloaded[1]) / unloaded.var()
    assert shared == pytest.approx(0.5, abs=0.1)
    correlations = [
        np.corrcoef(unloaded[:, :, :-lag].ravel(), unloaded[:, :, lag:].ravel())[0, 1]
        for lag in (1, 3)
    ]
    assert correlations[0] == pytest.approx(2 / 3, abs=0.1)
    assert abs(correlations[1]) < 0.1


def test_points_are_lost_at_the_edges_and_late(realistic: Shot) -> None:
    """As many as asked for, and more of them outside."""
    film = realistic.film
    share = film.lost[:, film.inside].mean(axis=1)
    assert share[0] == pytest.approx(REALISTIC.lost_first, abs=0.01)
    assert share[-1] == pytest.approx(REALISTIC.lost_last, abs=0.01)
    middle = film.inside & (np.abs(film.positions[..., 1]) < 3)
    # Points are lost in clusters, so one film may lose its middle: of many, half as much at most
    geometry, frames = realistic.hidden.geometry, 2
    drawn = [
        _lost(film.positions, geometry, film.inside, frames, REALISTIC, np.random.default_rng(seed))
        for seed in range(60)
    ]
    in_middle = np.mean([lost[-1][middle].mean() for lost in drawn])
    assert in_middle < 0.5 * np.mean([lost[-1][film.inside].mean() for lost in drawn])


def test_a_crosshead_moves_more_than_the_specimen() -> None:
    """By the compliance that was asked for, at the end."""
    shot = shoot(replace(NONE, compliance=0.03))
    longest = shot.hidden.end_displacements_mm[-1]
    travel = np.interp(shot.hidden.forces_n[-1], shot.log.forces_n, shot.log.travel_mm)
    assert travel == pytest.approx(longest / 0.97, rel=0.005)


def test_a_load_cell_errs_as_it_was_told() -> None:
    """An offset that stays, and noise of its range."""
    defects = replace(NONE, force_offset_n=50.0, force_noise=0.002)
    log = shoot(defects).log
    idle = log.forces_n[log.times_s < log.start_s]
    assert 1 < abs(idle.mean()) < 51
    assert idle.std() == pytest.approx(20, rel=0.2)


def test_a_sheet_that_necks_too_early_is_named() -> None:
    """Specimen, how far it came, and what to do."""
    specimens = SPECIMENS.model_copy(update={"end_displacement_mm": 6.0})
    with pytest.raises(ImpossibleFilm, match=r"specimen 30 ended with 'necked' after .* of 6 mm"):
        shoot_series(SHEET, specimens, defects=NONE, optics=OPTICS, mesh=COARSE)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_layout_writes_every_frame(layout: str, realistic: Shot, tmp_path: Path) -> None:
    """Files that the glob finds, or one that holds all."""
    series = write_series(tmp_path, [realistic], layout=layout)
    told = series.told[0]
    files = sorted((tmp_path / told.folder).glob(told.frames))
    assert len(files) in (1, realistic.film.frames)
    assert all(file.stat().st_size > 1000 for file in files)
    assert (told.pixel_mm is None) != LAYOUTS[layout].pixels
    assert told.notch_width_mm != realistic.hidden.geometry.notch_width_mm


def test_lost_points_stay_in_a_vic_file_as_garbage(realistic: Shot, tmp_path: Path) -> None:
    """Sigma -1, all at one coordinate."""
    write_series(tmp_path, [realistic], layout="vic_3d_old")
    last = sorted((tmp_path / "specimen_30").glob("image-*_0.csv"))[-1]
    head, *_ = last.read_text().splitlines()
    assert head.startswith(' "X",  "Y",  "Z"')
    names = [name.strip().strip('"') for name in head.split(",")]
    rows = np.loadtxt(last, delimiter=",", skiprows=1)
    lost = rows[:, names.index("sigma")] == -1
    assert lost.mean() == pytest.approx(REALISTIC.lost_last, abs=0.01)
    assert len(np.unique(rows[lost][:, :2], axis=0)) == 1
    assert rows[lost][:, names.index("u")].max() > 1e15


def test_pixels_run_down_and_the_strip_up(perfect: Shot, tmp_path: Path) -> None:
    """In tension along y the upper end, of small y, moves to smaller y."""
    write_series(tmp_path, [perfect], layout="dice", tensile_axis="y")
    last = sorted((tmp_path / "specimen_30").glob("DICe_*.txt"))[-1]
    names = last.read_text().splitlines()[0].split(",")
    rows = np.loadtxt(last, delimiter=",", skiprows=1)
    y, v = rows[:, names.index("COORDINATE_Y")], rows[:, names.index("DISPLACEMENT_Y")]
    assert np.polyfit(y, v, 1)[0] > 0.01
    assert rows[:, names.index("VSG_STRAIN_YY")].mean() > 0
    assert rows[:, names.index("VSG_STRAIN_XX")].mean() < 0


def test_zero_means_missing_in_ncorr(realistic: Shot, tmp_path: Path) -> None:
    """And the mask says which zeros these are."""
    write_series(tmp_path, [realistic], layout="ncorr")
    saved = loadmat(tmp_path / "specimen_30" / "ncorr.mat", simplify_cells=True)["data_dic_save"]
    frames = saved["displacements"]
    assert len(frames) == realistic.film.frames - 1
    mask = frames[-1]["roi_ref_formatted"]["mask"].astype(bool)
    assert (frames[-1]["plot_u_ref_formatted"][~mask] == 0).all()
    assert np.abs(frames[-1]["plot_v_ref_formatted"][mask]).min() > 0


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_a_machine_file_holds_the_curve(machine: str, perfect: Shot, tmp_path: Path) -> None:
    """Whatever its decimal sign and units are, the largest force is in its last lines."""
    series = write_series(tmp_path, [perfect], layout="matchid_hdf5", machine=machine)
    raw = (tmp_path / "specimen_30" / series.told[0].machine).read_bytes()
    lines = raw.decode("utf-8" if machine in ("mts", "instron") else "latin-1").splitlines()
    between = {"zwick": ",", "instron": ","}.get(machine, "\t")
    cells = [cell.strip('"').replace(",", ".") for cell in lines[-1].split(between)]
    largest = perfect.log.forces_n[-1]
    scales = [abs(float(cell) * unit / largest - 1) for cell in cells for unit in (1, 1000)]
    assert min(scales) < 1e-3
