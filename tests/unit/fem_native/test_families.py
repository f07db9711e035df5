"""Records of a family: each its own sheet and specimens, the same by both kernels."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.contract.material import Material, Nodes, Tabulated
from hpc_jobs.contract.specimen import FromYield, Piece, Specimens
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TRAIN
from hpc_jobs.fem.backends import native
from hpc_jobs.fem.backends.deck import necking
from hpc_jobs.fem.native import library as native_library
from hpc_jobs.fem.native.build import find_compiler, library_path
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.reference import simulation
from hpc_jobs.fem.scout import with_output_times
from tests.harness.families import small_family
from tests.unit.fem_native.conftest import ALPHA, sheet

TIGHT = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)
SMALL = Specimens(
    mesh=Mesh(along=12, across=6), output_times=3, steps_per_output=1, warm_start=False
)
PLATEAU = Material(
    exponent=6,
    youngs_modulus_mpa=2.05e5,
    poisson_ratio=0.3,
    hardening=Tabulated(plastic_strains=(0, 0.02, 0.1, 0.3), stresses_mpa=(300, 300, 400, 550)),
)


def test_native_and_reference_agree_record_by_record(library: Library) -> None:
    """Own exponent, E, curve, angle, notch, force scale, output times: to 1e-9 at equal steps.

    Where one of them has to halve a step the records differ by more: curves without a flat start,
    and times well before the peak force, ask for no such step but in the odd record.
    """
    campaign = small_family(
        specimens={"timing": {"peak_share": 0.9}},
        material={"hardening": {"first_exponent": [0.15, 0.4], "local_exponents": [0.08, 0.3]}},
    )
    family, points = campaign.family, draw(campaign, TRAIN, 0, 6)
    shared, compared = NativeSimulation(None, campaign.specimens, TIGHT, library), 0
    for parameters, row in zip(points.parameters, points.sheet.tolist(), strict=True):
        material = family.material_of(row)
        values = parameters[list(campaign.columns)]
        specimens = family.specimens_of(row, campaign.specimens)
        timed, reason = with_output_times(values, material, specimens)
        assert reason == ""
        timed = timed.model_copy(update={"steps_per_output": 6})
        found = shared.simulate(values, material, timed)
        expected = simulation.simulate(values, material, timed, tolerance=1e-11, quick=99)
        assert np.array_equal(found.displacements, np.ravel(timed.displacements_mm))
        if found.steps != expected.steps:
            continue
        assert (found.status, expected.status) == ("ok", "ok")
        assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)
        assert found.forces == pytest.approx(expected.forces, rel=1e-8)
        compared += 1
    assert compared >= 4


def test_every_defect_of_a_specimen_is_the_same_by_both_kernels(library: Library) -> None:
    piece = Piece(
        angle_deg=1.3, force_scale=0.02, notch_width_mm=-0.2, thickness_mm=0.03,
        displacement_share=0.05, patch_along_mm=0.3, patch_across_mm=-0.2,
    )  # fmt: skip
    specimens = SMALL.model_copy(
        update={
            "angles_deg": (45.0,),
            "output_times": 6,
            "pieces": (piece,),
            "outputs": ("thickness",),
        }
    )
    found = NativeSimulation(sheet("nodes"), specimens, TIGHT, library).simulate(ALPHA)
    expected = simulation.simulate(ALPHA, sheet("nodes"), specimens, tolerance=1e-11, quick=99)
    assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)
    assert found.forces == pytest.approx(expected.forces, rel=1e-8)
    assert found.outputs["thickness"] == pytest.approx(expected.outputs["thickness"], abs=1e-9)
    plain = simulation.simulate(ALPHA, sheet("nodes"), specimens.model_copy(update={"pieces": ()}))
    assert np.abs(found.strains - plain.strains).max() > 1e-3


def test_a_record_does_not_depend_on_its_company(library: Library) -> None:
    campaign = small_family(design={"train_records": 8, "test_records": 8})
    points = draw(campaign, TRAIN, 0, 4)

    def solve(rows: list[int]) -> dict[int, np.ndarray]:
        found = {}
        for row in rows:
            values = points.sheet[row].tolist()
            record = native.simulate(
                points.parameters[row, list(campaign.columns)],
                campaign.family.material_of(values),
                campaign.family.specimens_of(values, campaign.specimens),
            )
            found[row] = np.concatenate((record.strains, record.forces, record.displacements))
        return found

    forwards, backwards = solve([0, 1, 2, 3]), solve([3, 1, 3, 0, 2])
    for row, values in backwards.items():
        assert np.array_equal(values, forwards[row])


def record_of(material: Material, piece: Piece | None = None) -> tuple[np.ndarray, np.ndarray]:
    pieces = (piece,) * 3 if piece else ()
    control = Control(tolerance=1e-11, point_tolerance=1e-9)
    specimens = SMALL.model_copy(update={"pieces": pieces})
    record = NativeSimulation(material, specimens, control).simulate(ALPHA)
    assert record.status == "ok"
    return record.strains, record.forces


def test_modulus_level_and_load_cell_are_one_dimension(library: Library) -> None:
    """E and k times c leave strains as they are and scale forces, as a wrong load cell does."""
    c, material = 1.7, sheet("nodes")
    law = material.hardening
    assert isinstance(law, Nodes)
    higher = law.model_copy(update={"stresses_mpa": tuple(c * k for k in law.stresses_mpa)})
    changes = {"youngs_modulus_mpa": c * material.youngs_modulus_mpa, "hardening": higher}
    strains, forces = record_of(material)
    scaled = record_of(material.model_copy(update=changes))
    assert scaled[0] == pytest.approx(strains, rel=0, abs=1e-12)
    assert scaled[1] == pytest.approx(c * forces, rel=1e-12)
    for piece in (Piece(force_scale=c - 1), Piece(thickness_mm=c - 1)):
        measured = record_of(material, piece)
        assert measured[0] == pytest.approx(strains, rel=0, abs=1e-15)
        assert measured[1] == pytest.approx(c * forces, rel=1e-14)


def test_a_machine_that_gives_way_draws_the_specimen_less(library: Library) -> None:
    lost = record_of(sheet("nodes"), Piece(displacement_share=0.2))
    less = SMALL.model_copy(update={"end_displacement_mm": 0.8})
    control = Control(tolerance=1e-11, point_tolerance=1e-9)
    expected = NativeSimulation(sheet("nodes"), less, control, library).simulate(ALPHA)
    assert lost[0] == pytest.approx(expected.strains, rel=0, abs=1e-12)


def test_a_fall_of_force_that_rises_again_is_no_neck(library: Library) -> None:
    """A curve that begins flat loses some force at general yield, and gains it again."""
    specimens = SMALL.model_copy(
        update={"angles_deg": (0.0,), "output_times": 20, "end_displacement_mm": 0.6}
    )
    found = NativeSimulation(PLATEAU, specimens, library=library).simulate(np.ones(8))
    expected = simulation.simulate(np.ones(8), PLATEAU, specimens)
    assert (found.status, expected.status) == ("ok", "ok")
    assert np.diff(found.forces).min() < 0
    assert found.forces[-1] > found.forces[:-1].max()
    assert found.forces == pytest.approx(expected.forces, rel=1e-3)


def test_a_fall_for_good_is_a_neck_where_it_began(library: Library) -> None:
    specimens = SMALL.model_copy(
        update={"angles_deg": (0.0,), "output_times": 40, "end_displacement_mm": 4.0}
    )
    found = NativeSimulation(sheet(), specimens, library=library).simulate(ALPHA)
    expected = simulation.simulate(ALPHA, sheet(), specimens)
    assert (found.status, expected.status) == ("necked", "necked")
    assert found.reason.split(" mm")[0] == expected.reason.split(" mm")[0]
    assert np.isnan(found.forces).all()


def test_the_same_rule_finds_necks_in_the_curves_of_other_solvers() -> None:
    rising = np.linspace(1, 2, 5)
    assert necking(rising) is None
    assert necking(np.array([1.0, 2.0, 1.99, 2.1])) is None
    assert necking(np.array([1.0, 2.0, 1.999, 1.998])) == 2
    assert necking(np.array([1.0, 2.0, 1.99, 1.995, 1.99])) == 4
    assert necking(np.array([1.0, 2.0, 1.99, 1.5, 3.0])) == 2  # not waited out


@pytest.mark.parametrize("solve", [native.simulate, simulation.simulate])
def test_a_sheet_that_stays_elastic_says_nothing(solve: object) -> None:
    specimens = SMALL.model_copy(update={"end_displacement_mm": 1e-3})
    record = solve(ALPHA, sheet(), specimens)  # type: ignore[operator]
    assert record.status == "elastic"
    assert "check the units" in record.reason
    assert np.isnan(record.strains).all()


def test_patches_that_lie_off_the_specimen_are_refused() -> None:
    specimens = SMALL.model_copy(update={"pieces": (Piece(patch_across_mm=0.8), Piece(), Piece())})
    record = native.simulate(ALPHA, sheet(), specimens)
    assert record.status == "rejected_specimen"
    assert "specimen 0: its patches reach 5.3 mm across, and its edge is at 5" in record.reason


def test_output_times_are_found_hit_and_kept(library: Library) -> None:
    """The first is at general yield, the last at a share of the peak: of the curve itself."""
    timing = FromYield(peak_share=0.95)
    specimens = SMALL.model_copy(update={"timing": timing, "end_displacement_mm": 3.0})
    record = native.simulate(ALPHA, sheet(), specimens)
    assert record.status == "ok"
    times = record.displacements.reshape(3, 3)
    assert np.all(np.diff(times, axis=1) > 0)
    assert np.diff(times, 2, axis=1) == pytest.approx(np.zeros((3, 1)), abs=1e-12)
    fixed = tuple(Piece(displacements_mm=tuple(row)) for row in times.tolist())
    again = native.simulate(ALPHA, sheet(), SMALL.model_copy(update={"pieces": fixed}))
    assert again.forces == pytest.approx(record.forces, rel=1e-4)
    assert np.array_equal(again.displacements, record.displacements)
    # Against the peak of its own mesh, drawn further; the scout's mesh is another
    steps = tuple(np.linspace(0.05, 3.0, 60).tolist())
    path = specimens.model_copy(
        update={"output_times": 60, "pieces": (Piece(displacements_mm=steps),) * 3}
    )
    curves = NativeSimulation(sheet(), path, library=library).force_curves(ALPHA, sheet(), path)
    peaks = np.array([np.nanmax(curve) for curve in curves])
    assert record.forces.reshape(3, 3)[:, -1] / peaks == pytest.approx(0.95, abs=0.01)


def test_two_notches_and_a_strip_are_one_record(library: Library) -> None:
    """Each geometry has its own end displacement, and is what it would be alone."""
    geometries = (
        Geometry(name="long"),
        Geometry(name="short", notch_length_mm=12.0, end_displacement_mm=0.6),
        Geometry(name="strip", shape="straight", end_displacement_mm=3.0),
    )
    three = SMALL.model_copy(update={"geometries": geometries, "angles_deg": (0.0, 45.0)})
    record = native.simulate(ALPHA, sheet(), three)
    assert record.status == "ok"
    ends = record.displacements.reshape(6, 3)[:, -1]
    assert ends == pytest.approx([1, 1, 0.6, 0.6, 3, 3])
    strains = record.strains.reshape(three.strain_shape)
    for i, geometry in enumerate(geometries):
        only = SMALL.model_copy(update={"geometries": (geometry,), "angles_deg": (0.0, 45.0)})
        alone = native.simulate(ALPHA, sheet(), only)
        assert np.array_equal(alone.strains, strains[:, 2 * i : 2 * i + 2].ravel())


def test_a_library_of_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifted(ctypes.Structure):
        _fields_ = (("flag", ctypes.c_char), *native_library._Sheet._fields_)

    monkeypatch.setattr(native_library, "_Sheet", Shifted)
    with pytest.raises(OSError, match=r"lays its structures out as .* build the library from"):
        Library(library_path())


def test_a_foreign_library_is_refused(tmp_path: Path) -> None:
    """Whatever loads, but does not say how its structures lie."""
    source, built = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("int yl_abi(void) { return 4; }\n")
    subprocess.run([find_compiler(), "-x", "c", "-shared", source, "-o", built], check=True)
    with pytest.raises(OSError, match="is no library of this kernel"):
        Library(built)
