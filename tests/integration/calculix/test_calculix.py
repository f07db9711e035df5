"""Work that is not ours: the same specimen on the same mesh, solved by CalculiX."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import HockettSherby, Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.backends.calculix import CPS8R, read_dat
from hpc_jobs.fem.backends.deck import virtual_test
from hpc_jobs.fem.backends.scratch import KEEP, LOG
from hpc_jobs.fem.errors import SolverFailed
from hpc_jobs.fem.reference.simulation import simulate

Sheet = tuple[np.ndarray, Material]
DP780 = HockettSherby(
    law="hockett_sherby",
    saturation_stress_mpa=1125.76,
    yield_stress_mpa=317.907,
    rate=4.9711,
    exponent=0.45262,
)


def strip(along: int, across: int, **changes: object) -> Specimens:
    return Specimens.model_validate(
        {"angles_deg": (0.0,), "mesh": Mesh(along=along, across=across), "time_limit_s": 600}
        | changes
    )


@pytest.mark.parametrize(
    ("solver", "mesh", "hardening"),
    [
        ("calculix_cps4r", (24, 12), None),
        ("calculix_cps4r", (36, 16), DP780),
        pytest.param("calculix", (36, 16), None, marks=pytest.mark.slow),
    ],
)
def test_forces_and_patch_strains(
    steel: Sheet, solver: str, mesh: tuple[int, int], hardening: HockettSherby | None
) -> None:
    parameters, material = steel
    if hardening:
        material = material.model_copy(update={"hardening": hardening})
    specimens = strip(*mesh)
    theirs = backend_of(solver)[1].simulate(parameters, material, specimens)
    ours = simulate(parameters, material, specimens)
    assert (theirs.status, ours.status) == ("ok", "ok")
    assert theirs.forces == pytest.approx(ours.forces, rel=0.005)
    peak = np.abs(ours.strains).max()
    assert peak > 0.09
    assert np.abs(theirs.strains - ours.strains).max() < 0.01 * peak
    assert theirs.steps == ours.steps
    assert theirs.largest_plastic_strain == pytest.approx(ours.largest_plastic_strain, rel=0.03)


def test_an_isotropic_sheet_looks_the_same_from_all_sides(steel: Sheet) -> None:
    specimens = strip(12, 6, angles_deg=(0.0, 30.0), output_times=2)
    record = backend_of("calculix_cps4r")[1].simulate(*steel, specimens)
    one, other = record.forces.reshape(2, 2)
    assert np.array_equal(one, other)


def test_von_mises_goes_by_two_names(steel: Sheet) -> None:
    specimens, solver = strip(12, 6, output_times=2), backend_of("calculix_cps4r")[1]
    plain = steel[1].model_copy(update={"yield_function": "von_mises"})
    named = solver.simulate(np.empty(0), plain, specimens)
    disguised = solver.simulate(*steel, specimens)
    assert named.status == "ok"
    assert np.array_equal(named.strains, disguised.strains)


def test_an_anisotropic_sheet_is_refused_with_the_reason(steel: Sheet) -> None:
    parameters, material = steel
    record = CPS8R.simulate(parameters * [1.1, *[1] * 7], material, strip(12, 6))
    assert record.status == "rejected_material"
    assert "von Mises plasticity only" in record.reason and "1.1" in record.reason
    assert np.isnan(record.strains).all()


def test_what_ccx_cannot_solve_is_a_status_in_its_words(
    steel: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = tmp_path / "it's kept"
    monkeypatch.setenv(KEEP, str(keep))
    specimens = strip(24, 12, end_displacement_mm=8.0)
    record = backend_of("calculix_cps4r")[1].simulate(*steel, specimens)
    assert record.status == "min_step"
    assert "stopped in step 6 after 1.2 of 8 mm" in record.reason
    assert "increment size smaller than minimum" in record.reason
    assert np.isnan(record.forces).all()
    (folder,) = keep.iterdir()
    assert {"strip.inp", "strip.dat", LOG} <= {file.name for file in folder.iterdir()}


def test_the_time_limit_is_a_status_and_leaves_nothing(
    steel: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    record = CPS8R.simulate(*steel, strip(48, 24, time_limit_s=1.0))
    assert record.status == "time_limit"
    assert "the limit is 1 s" in record.reason
    assert list(tmp_path.iterdir()) == []


def test_a_broken_deck_is_no_record(steel: Sheet, tmp_path: Path) -> None:
    class Broken(type(CPS8R)):  # type: ignore[misc]
        template = tmp_path / "broken.inp.j2"

    Broken.template.write_text("*NODE\n1, 0, 0\n*STEP\n*STATIC\n*BOUNDARY\nNOWHERE, 1\n")
    with pytest.raises(SolverFailed, match=r"(?s)last words: .*ERROR reading"):
        Broken("CPS8R").simulate(*steel, strip(12, 6))


def test_the_deck_is_complete_and_the_results_are_read_back(steel: Sheet, tmp_path: Path) -> None:
    _, material = steel
    specimens = strip(12, 6)
    named = dict.fromkeys(material.parameters, 1.0)
    test = virtual_test(named, material, specimens, specimens.tests[0])
    deck = CPS8R.render(test)
    assert deck.count("\n*") > 15 and "{" not in deck
    assert "CPS8R" in deck
    (tmp_path / "x.dat").write_text(
        " displacements (vx,vy,vz) for set MESH and time  0.1000000E-01\n\n"
        "         1 -5.000000E-03  0.000000E+00  8.470329E-21\n"
        "         2  5.000000E-03  1.000000E-04 -8.470329E-21\n\n"
        " total force (fx,fy,fz) for set RIGHT and time  0.1000000E-01\n\n"
        "        2.442133E+03  4.860112E-12  2.660621E-11\n"
    )
    (u, at, moved), (rf, _, force) = read_dat(tmp_path / "x.dat")
    assert (u, at, rf) == ("U", 0.01, "RF")
    assert moved[1, 1:3] == pytest.approx([5e-3, 1e-4])
    assert force[0, 0] == pytest.approx(2442.133)
