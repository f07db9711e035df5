"""Small files in each tool's layout: one displacement field, read back from all of them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.columns import FieldColumns
from hpc_jobs.measurement.formats.fields import natural, open_frames

X, Y = (a.ravel() for a in np.meshgrid(np.arange(1.0, 6), np.arange(1.0, 5), indexing="ij"))
U, V = 0.02 * X + 0.001 * Y, -0.01 * Y
EXX, EYY, EXY = 0.02 + 0 * X, -0.01 + 0 * X, 0.0005 + 0 * X
LOST = 3


def _table(path: Path, header: str, columns: list[np.ndarray], delimiter: str = ",") -> Path:
    rows = "\n".join(delimiter.join(f"{v:.9g}" for v in row) for row in np.column_stack(columns))
    path.write_text(f"{header}\n{rows}\n")
    return path


def _vic_3d(folder: Path) -> Path:
    sigma = np.where(np.arange(len(X)) == LOST, -1.0, 0.01)
    u = np.where(sigma < 0, 1e18, U)
    header = ' "X",  "Y",  "Z",  "U",  "V",  "W",  "exx",  "eyy",  "exy",  "sigma",  "x",  "u"'
    columns = [X, Y, 0 * X, u, V, 0 * X, EXX, EYY, EXY, sigma, 100 * X, 100 * U]
    return _table(folder / "f_0.csv", header, columns)


def _aramis(folder: Path) -> Path:
    u = np.where(np.arange(len(X)) == LOST, np.nan, U)
    head = "# force : value_element : 14985.6\n# ID; x_undef [mm]; y_undef [mm]; z_undef [mm]"
    head += "; u [mm]; v [mm]; w [mm]; epsx [%]; epsy [%]; epsxy [1]"
    columns = [np.arange(len(X)), X, Y, 0 * X, u, V, 0 * X, 100 * EXX, 100 * EYY, EXY]
    return _table(folder / "nodemap.txt", head, columns, ";")


def _matchid(folder: Path) -> Path:
    u = np.where(np.arange(len(X)) == LOST, np.nan, U)
    header = (
        "coor.X [mm],coor.Y [mm],disp.Horizontal Displacement U [mm],"
        "disp.Vertical Displacement V [mm],strain.Strain-global frame: Exx [ ],"
        "strain.Strain-global frame: Eyy [ ],strain.Strain-global frame: Exy [ ]"
    )
    return _table(folder / "frame.csv", header, [X, -Y, u, -V, EXX, EYY, -EXY])


def _matchid_hdf5(folder: Path) -> Path:
    path = folder / "frames.h5"
    u = np.where(np.arange(len(X)) == LOST, np.nan, U)
    with h5py.File(path, "w") as file:
        points = file.create_group("DIC Data/Point Data")
        points["X"], points["Y"] = X[None], -Y[None]
        points["Horizontal Displacement U"] = u[None]
        points["Vertical Displacement V"] = -V[None]
        for name, values in (("Exx", EXX), ("Eyy", EYY), ("Exy", -EXY)):
            points[f"Strain-global frame: {name}"] = values[None]
    return path


def _dice(folder: Path) -> Path:
    match = np.where(np.arange(len(X)) == LOST, -1.0, 0.0)
    header = (
        "SUBSET_ID,COORDINATE_X,COORDINATE_Y,DISPLACEMENT_X,DISPLACEMENT_Y,VSG_STRAIN_XX,"
        "VSG_STRAIN_YY,VSG_STRAIN_XY,SIGMA,GAMMA,MATCH"
    )
    sigma = 0.01 + 0 * X
    columns = [np.arange(len(X)), X, -Y, U, -V, EXX, EYY, -EXY, sigma, sigma, match]
    return _table(folder / "DICe_solution_00.txt", header, columns)


TOOLS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "vic_3d": (_vic_3d, "mm"),
    "aramis": (_aramis, "mm"),
    "matchid": (_matchid, "mm"),
    "matchid_hdf5": (_matchid_hdf5, "mm"),
    "dice": (_dice, "pixel"),
}


@pytest.mark.parametrize("tool", list(TOOLS))
def test_every_tool_says_the_same_field_y_up_without_the_lost_point(
    tmp_path: Path, tool: str
) -> None:
    write, unit = TOOLS[tool]
    source = open_frames([write(tmp_path)])
    frame = source.read(0)
    assert source.facts.tool == tool.removesuffix("_hdf5")
    assert (source.facts.unit, frame.lost) == (unit, 1)
    keep = np.arange(len(X)) != LOST
    np.testing.assert_allclose(frame.points[:, :2], np.column_stack((X, Y))[keep])
    np.testing.assert_allclose(frame.displacements[:, :2], np.column_stack((U, V))[keep])
    assert frame.strains is not None
    np.testing.assert_allclose(frame.strains[0], [0.02, -0.01, 0.0005], rtol=1e-6)


def test_the_head_of_a_stage_carries_its_force(tmp_path: Path) -> None:
    assert open_frames([_aramis(tmp_path)]).read(0).force_n == 14985.6


def test_vic_names_its_measure_and_its_unread_columns(tmp_path: Path) -> None:
    path = _vic_3d(tmp_path)
    old = open_frames([path]).facts
    assert (old.measure, old.unknown) == ("", ("x", "u"))
    path.write_text(path.read_text().replace('"exx"', '"exx [1] - Hencky"'))
    assert open_frames([path]).facts.measure == "ln"


@pytest.mark.parametrize("hdf5", [False, True])
def test_zero_is_missing_in_ncorr_whose_reference_is_added(tmp_path: Path, hdf5: bool) -> None:
    u, v = np.zeros((4, 5)), np.zeros((4, 5))
    u[1:, :], v[1:, :] = 0.25, 0.5
    path = tmp_path / "ncorr.mat"
    fields = {"plot_u_ref_formatted": u, "plot_v_ref_formatted": v}
    if hdf5:
        with h5py.File(path, "w", userblock_size=512) as file:
            group = file.create_group("data_dic_save")
            for name, values in fields.items():
                file[f"#refs#/{name}"] = values.T
                cell = np.array([[file[f"#refs#/{name}"].ref]], dtype=h5py.ref_dtype)
                group[f"displacements/{name}"] = cell
            group["dispinfo/pixtounits"], group["dispinfo/spacing"] = [[0.1]], [[3.0]]
            group["dispinfo/units"] = np.array([[ord("m")], [ord("m")]], dtype=np.uint16).T
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file")
    else:
        saved = {"pixtounits": 0.1, "spacing": 3, "units": "mm"}
        scipy.io.savemat(path, {"data_dic_save": {"displacements": [fields], "dispinfo": saved}})
    source = open_frames([path])
    reference, frame = source.read(0), source.read(1)
    assert (len(source), source.facts.unit) == (2, "mm")
    np.testing.assert_array_equal(reference.points, frame.points)
    assert not reference.displacements.any()
    assert len(frame.points) == 15
    np.testing.assert_allclose(frame.points[1] - frame.points[0], [0.4, 0])
    np.testing.assert_allclose(frame.displacements[0], [0.25, -0.5])


def test_columns_by_hand(tmp_path: Path) -> None:
    path = _table(tmp_path / "own.csv", "a,b,c,d", [X, Y, U, V])
    with pytest.raises(BadInput, match=r"layout of no tool known here.*it has 'a', 'b'"):
        open_frames([path])
    columns = FieldColumns(x="a", y="b", u="c", v="d", unit="pixel")
    frame = open_frames([path], "columns", columns).read(0)
    np.testing.assert_allclose(frame.displacements, np.column_stack((U, V)))
    with pytest.raises(BadInput, match=r"no column for u.*'c'"):
        open_frames([path], "columns", FieldColumns(x="a", y="b", u="e", v="d"))


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = _table(tmp_path / "own.csv", "a,b,c,d,a", [X, Y, U, V, Y])
    columns = FieldColumns(x="a", y="b", u="c", v="d", unit="pixel")
    with pytest.raises(BadInput, match="there are several columns 'a'; keep one"):
        open_frames([path], "columns", columns)


def test_a_matlab_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(b"no MATLAB file at all" * 20)
    with pytest.raises(BadInput, match=r"x\.mat: no MATLAB file, or damaged"):
        open_frames([path])


def test_frames_are_in_the_order_of_their_numbers() -> None:
    names = ["f_10.csv", "f_9.csv", "f_100.csv"]
    assert sorted(map(Path, names), key=natural) == [
        Path("f_9.csv"),
        Path("f_10.csv"),
        Path("f_100.csv"),
    ]
