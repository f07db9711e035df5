"""The native kernel against the readable one: same steps, same numbers."""

import numpy as np
import pytest

from hpc_jobs.contract.specimen import Mesh, Specimens
from hpc_jobs.fem import admissible, simulation
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.native.admissible import defect
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from tests.unit.fem_native.conftest import ALPHA, sheet

TIGHT = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)


def points(seed: int, count: int, spread: float = 0.06) -> np.ndarray:
    random = np.random.default_rng(seed)
    return ALPHA * (1 + spread * random.uniform(-1, 1, (count, 8)))


@pytest.mark.parametrize("use_symmetry", [True, False])
@pytest.mark.parametrize(
    ("law", "exponent"),
    [("hockett_sherby", 6), ("swift", 8), ("voce", 2), ("swift", 4), ("hockett_sherby", 8)],
)
def test_strains_and_forces_at_equal_steps(
    library: Library, specimens: Specimens, law: str, exponent: int, use_symmetry: bool
) -> None:
    material = sheet(law, exponent)
    control = Control(
        tolerance=TIGHT.tolerance,
        point_tolerance=TIGHT.point_tolerance,
        warm_start=False,
        use_symmetry=use_symmetry,
    )
    native = NativeSimulation(material, specimens, control, library)
    for alpha in points(seed=exponent, count=2):
        found = native.simulate(alpha)
        expected = simulation.simulate(alpha, material, specimens, tolerance=1e-11, quick=99)
        assert (found.status, expected.status) == ("ok", "ok")
        assert found.steps == expected.steps
        assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)
        assert found.forces == pytest.approx(expected.forces, rel=1e-8)


def test_odd_angles_and_production_mesh(library: Library) -> None:
    specimens = Specimens(
        angles_deg=(22.5,), mesh=Mesh(along=24, across=12), output_times=4, steps_per_output=1
    )
    found = NativeSimulation(sheet(), specimens, TIGHT, library).simulate(ALPHA)
    expected = simulation.simulate(ALPHA, sheet(), specimens, tolerance=1e-11, quick=99)
    assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)


def test_production_tolerances_cost_little(library: Library, specimens: Specimens) -> None:
    exact = NativeSimulation(sheet(), specimens, TIGHT, library)
    production = NativeSimulation(sheet(), specimens, library=library)
    for alpha in points(seed=5, count=4):
        difference = production.simulate(alpha).strains - exact.simulate(alpha).strains
        assert np.abs(difference).max() < 5e-6


def test_every_instruction_set_agrees(
    library: Library, specimens: Specimens, paths: tuple[str, ...]
) -> None:
    records = [
        NativeSimulation(
            sheet(), specimens, Control(tolerance=1e-11, point_tolerance=1e-9, path=path), library
        ).simulate(ALPHA)
        for path in paths
    ]
    for record in records[1:]:
        assert record.strains == pytest.approx(records[0].strains, rel=0, abs=1e-10)


@pytest.mark.parametrize("across", [2, 4, 10, 14, 26])
def test_widths_of_the_band_foreseen_or_not(library: Library, across: int) -> None:
    specimens = Specimens(
        angles_deg=(0.0,), mesh=Mesh(along=8, across=across), output_times=2, steps_per_output=1
    )
    control = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False, use_symmetry=False)
    found = NativeSimulation(sheet(), specimens, control, library).simulate(ALPHA)
    expected = simulation.simulate(ALPHA, sheet(), specimens, tolerance=1e-10, quick=99)
    assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)


def test_the_same_materials_are_refused_in_the_same_words(library: Library) -> None:
    random = np.random.default_rng(11)
    table = 1 + 0.6 * random.uniform(-1, 1, (300, 8))
    table[0, 3] = np.nan
    found = [defect(library, alpha, 6) for alpha in table]
    with np.errstate(all="ignore"):
        expected = [admissible.defect(Yld2000(alpha, 6)) for alpha in table]
    assert found == expected
    assert sum(map(bool, found)) > 100
    assert not all(found)
