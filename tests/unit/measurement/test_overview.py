"""What a file holds is said in a line, whoever exported it; a bad one does not spoil the others."""

import numpy as np
import pytest

from hpc_jobs.measurement.camera.machine import MachineLog
from hpc_jobs.measurement.camera.machine_file import MACHINES
from hpc_jobs.measurement.overview import as_table, held_by
from hpc_jobs.tools import import_dic

NOISE = 2e-4
X, Y = (a.ravel() for a in np.meshgrid(np.arange(0, 15, 0.5), np.arange(0, 10, 0.5)))
STRETCH = 0.02 + 0.004 * X
U = 0.02 * X + 0.002 * X**2 + NOISE * np.random.default_rng(1).standard_normal(len(X))
V = -0.01 * Y + NOISE * np.random.default_rng(2).standard_normal(len(X))
GREEN = STRETCH + STRETCH**2 / 2
SIGMA = np.where(np.arange(len(X)) < 7, -1.0, 0.01)
NAN = np.where(np.arange(len(X)) < 7, np.nan, U)
LAYOUTS = {
    "vic_3d": (
        "X,Y,Z,U,V,W,exx,eyy,exy,sigma",
        [X, Y, 0 * X, U, V, 0 * X, GREEN, -0.00995 + 0 * X, 0 * X, SIGMA],
    ),
    "aramis": (
        "# ID,x_undef [mm],y_undef [mm],z_undef [mm],u [mm],v [mm],w [mm],epsx [%],epsy [%],"
        "epsxy [1]",
        [X, X, Y, 0 * X, NAN, V, 0 * X, 100 * STRETCH, -1 + 0 * X, 0 * X],
    ),
    "matchid": (
        "coor.X [mm],coor.Y [mm],disp.Horizontal Displacement U [mm],"
        "disp.Vertical Displacement V [mm],strain.Strain-global frame: Exx [ ],"
        "strain.Strain-global frame: Eyy [ ],strain.Strain-global frame: Exy [ ]",
        [X, -Y, NAN, -V, np.log1p(STRETCH), np.log(0.99) + 0 * X, 0 * X],
    ),
}
MEASURES = {
    "vic_3d": "Green-Lagrange in 1",
    "aramis": "engineering in 1",
    "matchid": "logarithmic (Hencky) in 1",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_says_points_measure_and_scatter(tmp_path, layout):
    header, columns = LAYOUTS[layout]
    path = tmp_path / "frame.csv"
    np.savetxt(path, np.column_stack(columns), "%.9g", ",", header=header, comments="")
    held = held_by(path)
    assert not held.refused
    assert held.kept == f"{len(X) - 7} ({layout})" and held.lost == "7"
    assert held.measure.startswith(MEASURES[layout]), held.measure
    scatter, unit = held.scatter.split()
    assert float(scatter) == pytest.approx(NOISE, rel=0.15) and unit == "mm"


def test_a_machine_a_stranger_and_a_missing_file_are_lines_of_their_own(tmp_path, capsys):
    rows = np.linspace(0, 20, 50)
    log = MachineLog(times_s=rows, travel_mm=rows / 20, forces_n=400 * rows, start_s=0.0)
    names = [MACHINES["instron"][1](tmp_path, log), "letter.txt", "gone.csv"]
    (tmp_path / "letter.txt").write_text("Dear Sir, the files follow by post.\nYours\n")
    import_dic.main(["--table", *(str(tmp_path / name) for name in names)])
    head, machine, letter, gone = capsys.readouterr().out.splitlines()
    assert head == "file | points kept | lost | strain measure | scatter"
    assert "50 rows of a machine" in machine and "force 0 to 8000" in machine
    assert letter.startswith("letter.txt | - | - | - | refused: ")
    assert gone.startswith("gone.csv | - | - | - | refused: ")
    assert as_table([]) == head


def test_a_table_stands_alone_and_an_import_needs_all_of_its_files(tmp_path, capsys):
    for arguments, words in (
        (["series.yaml", "--table", "a.csv"], "--table stands alone"),
        (["series.yaml", "out.h5"], "--campaign missing; or name files after --table"),
    ):
        with pytest.raises(SystemExit):
            import_dic.main(arguments)
        assert words in capsys.readouterr().err
