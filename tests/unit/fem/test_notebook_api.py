"""What a notebook calls: it runs as the documentation says, and is cheap to import."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem import simulate, simulate_many
from hpc_jobs.fem.errors import SolverMissing, UnsupportedMaterial
from hpc_jobs.fem.materials import yield_locus
from hpc_jobs.fem.reference import simulation

PROJECT = Path(__file__).parents[3]
COARSE = Specimens(mesh=Mesh(along=8, across=4), output_times=2, steps_per_output=1)
Sheet = tuple[np.ndarray, Material]


def test_the_documentation_runs() -> None:
    flags = doctest.NORMALIZE_WHITESPACE
    guide = doctest.testfile(str(PROJECT / "docs/notebook-api.md"), False, optionflags=flags)
    module = doctest.testmod(yield_locus)
    assert guide.attempted > 20
    assert module.attempted > 2
    assert guide.failed == module.failed == 0


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, hpc_jobs.fem\n"
        "assert not {'numpy', 'numba', 'pydantic', 'scipy'} & set(sys.modules)\n"
        "from hpc_jobs.fem.materials import admissible, yield_locus\n"
        "assert not {'numba', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=PROJECT)


def test_a_table_gives_a_record_per_row(dp780: Sheet) -> None:
    alpha, material = dp780
    table = np.array([alpha, np.zeros(8), 1.02 * alpha])
    records = simulate_many(table, material, COARSE, solver="reference")
    assert [record.status for record in records] == ["ok", "rejected_material", "ok"]
    for row, record in zip(table, records, strict=True):
        alone = simulate(row, material, COARSE, solver="reference")
        assert np.array_equal(alone.strains, record.strains, equal_nan=True)
    direct = simulation.simulate(alpha, material, COARSE)
    assert np.array_equal(direct.strains, records[0].strains)


def test_von_mises_has_no_parameters(von_mises: Sheet) -> None:
    _, isotropic = von_mises
    material = isotropic.model_copy(update={"yield_function": "von_mises"})
    record = simulate([], material, COARSE, solver="reference")
    other = simulate(np.ones(8), isotropic, COARSE, solver="reference")
    assert record.forces == pytest.approx(other.forces, rel=1e-9)


def test_mistakes_are_explained(dp780: Sheet) -> None:
    alpha, material = dp780
    with pytest.raises(SolverMissing, match=r"'abaqus' cannot be imported: .* choose auto, native"):
        simulate(alpha, material, solver="abaqus")
    with pytest.raises(UnsupportedMaterial, match=r"shape \(7,\); yld2000_2d takes 8: alpha1"):
        simulate(alpha[:7], material, solver="reference")
    with pytest.raises(UnsupportedMaterial, match=r"shape \(8,\); give \(n, 8\)"):
        simulate_many(alpha, material, solver="reference")
