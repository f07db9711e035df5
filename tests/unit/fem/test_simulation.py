"""Whole records: benchmark forces, invariances, convergence, and how failures look."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.reference import solver
from hpc_jobs.fem.reference.simulation import simulate, simulate_table

Sheet = tuple[np.ndarray, Material]
COARSE = Specimens(mesh=Mesh(along=12, across=4), output_times=5, steps_per_output=1)
BENCHMARK_N = (6404.0, 7090.7, 7462.4)  # at 0.3, 0.6 and 1.0 mm, 96 x 48 elements


def strip(along: int, across: int) -> Specimens:
    mesh = Mesh(along=along, across=across, grading=1.0)
    return Specimens(angles_deg=(0.0,), mesh=mesh, steps_per_output=4)


@pytest.mark.slow
def test_notched_strip_on_the_benchmark_mesh(von_mises: Sheet) -> None:
    record = simulate(*von_mises, strip(96, 48))
    assert record.forces[[2, 5, 9]] == pytest.approx(BENCHMARK_N, rel=2e-5)


def test_notched_strip_on_a_coarse_mesh_is_a_little_too_stiff(von_mises: Sheet) -> None:
    ratio = simulate(*von_mises, strip(24, 12)).forces[[2, 5, 9]] / BENCHMARK_N
    assert np.all((ratio > 1.0) & (ratio < 1.025))


def test_layout_and_lengths(dp780: Sheet) -> None:
    record = simulate(*dp780, COARSE)
    assert (record.status, record.reason) == ("ok", "")
    strains = record.strains.reshape(COARSE.strain_shape)
    along, across = strains
    assert np.all(along[:, :, -1] > 0.01)
    assert np.all(across[:, 6:12, -1] < -0.005)  # beside the centre
    assert np.all(np.diff(along, axis=-1) > 0)  # time runs fastest
    assert np.all(np.diff(record.forces.reshape(3, 5)) > 0)


def test_a_symmetric_test_measures_symmetric_strains(dp780: Sheet) -> None:
    record = simulate(*dp780, COARSE)
    at_0, at_45, at_90 = record.strains.reshape(COARSE.strain_shape)[0].reshape(3, 6, 3, 5)
    for field in (at_0, at_90):
        assert field == pytest.approx(field[::-1], abs=1e-6)
        assert field == pytest.approx(field[:, ::-1], abs=1e-6)
    assert at_45 == pytest.approx(at_45[::-1, ::-1], abs=1e-6)  # a half turn only
    assert np.abs(at_45 - at_45[:, ::-1]).max() > 1e-4


def test_isotropic_sheet_behaves_alike_in_all_directions(von_mises: Sheet) -> None:
    specimens = COARSE.model_copy(update={"angles_deg": (0.0, 30.0, 90.0)})
    forces = simulate(*von_mises, specimens).forces.reshape(3, 5)
    assert forces[1] == pytest.approx(forces[0], rel=1e-7)
    assert forces[2] == pytest.approx(forces[0], rel=1e-7)


@pytest.mark.parametrize("factor", [0.7, 1.6])
def test_exact_degeneracy_of_scale(aa2090: Sheet, factor: float) -> None:
    """Alpha -> c alpha with k(p) -> c k(c p) is the same sheet: c K (e0 + c p)^n is Swift again."""
    alpha, material = aa2090
    law = material.hardening
    assert isinstance(law, Swift)
    scaled = law.model_copy(
        update={
            "strength_mpa": factor ** (1 + law.exponent) * law.strength_mpa,
            "prestrain": law.prestrain / factor,
        }
    )
    stronger = material.model_copy(update={"hardening": scaled})
    one = simulate(alpha, material, COARSE, tolerance=1e-11, quick=99)
    other = simulate(factor * alpha, stronger, COARSE, tolerance=1e-11, quick=99)
    assert one.status == other.status == "ok"
    assert other.strains == pytest.approx(one.strains, abs=1e-9)
    assert other.forces == pytest.approx(one.forces, rel=1e-9)


def test_strains_converge_with_the_load_steps(dp780: Sheet) -> None:
    def strains(steps: int) -> np.ndarray:
        return simulate(*dp780, COARSE.model_copy(update={"steps_per_output": steps})).strains

    finest = strains(12)
    errors = [np.abs(strains(steps) - finest).max() for steps in (1, 3)]
    assert errors[0] < 1.2e-3
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    ("alpha", "said"),
    [
        ((np.nan, *(1.0,) * 7), "not a finite number"),
        ((np.inf, *(1.0,) * 7), "not a finite number"),
        ((0.0,) * 8, "no finite, positive value"),
        ((2.0, 0.5, 1.5, 1.0, 1.0, 0.5, 1.0, 1.0), "not positive"),
    ],
)
def test_an_unphysical_material_is_a_row_of_nan_with_a_reason(
    dp780: Sheet, alpha: tuple[float, ...], said: str
) -> None:
    record = simulate(np.array(alpha), dp780[1], COARSE)
    assert record.status == "rejected_material"
    assert said in record.reason
    assert record.strains.shape == (COARSE.strain_values,)
    assert record.forces.shape == (COARSE.force_values,)
    assert np.isnan(record.strains).all()
    assert np.isnan(record.forces).all()


def test_a_necked_specimen_says_so_and_where(dp780: Sheet) -> None:
    record = simulate(*dp780, COARSE.model_copy(update={"end_displacement_mm": 6.0}))
    assert record.status == "necked"
    assert "specimen 0 deg stopped in step" in record.reason
    assert np.isnan(record.strains).all()
    assert record.largest_plastic_strain > 0.05


def test_a_record_out_of_time_is_given_up(dp780: Sheet) -> None:
    record = simulate(*dp780, COARSE.model_copy(update={"time_limit_s": 1e-6}))
    assert record.status == "time_limit"
    assert "the limit is 1e-06 s" in record.reason


def test_a_table_keeps_its_failures_in_place(dp780: Sheet) -> None:
    table = np.stack((dp780[0], np.zeros(8), dp780[0]))
    records = list(simulate_table(table, dp780[1], COARSE))
    assert [record.status for record in records] == ["ok", "rejected_material", "ok"]
    assert np.array_equal(records[0].strains, records[2].strains)


def test_solver_codes_are_the_contract_s() -> None:
    names = ["return_map", "newton", "min_step", "inverted", "necked", "nonfinite", "time_limit"]
    codes = [
        solver.RETURN_MAP, solver.NEWTON, solver.MIN_STEP, solver.INVERTED_ELEMENT,
        solver.NECKED, solver.NONFINITE, solver.TIME_LIMIT,
    ]  # fmt: skip
    assert [RecordStatus.NAMES[code] for code in codes] == names
