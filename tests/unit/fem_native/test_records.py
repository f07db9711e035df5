"""What a record promises: independence, statuses, limits."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import (
    Hardening,
    HockettSherby,
    Material,
    Mixed,
    Nodes,
    Swift,
    Tabulated,
    Voce,
)
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import Control, NativeSimulation, simulate
from hpc_jobs.fem.specimen.load_steps import load_steps
from tests.unit.fem_native.conftest import ALPHA, LAWS, sheet


def random_points(seed: int, count: int, spread: float) -> np.ndarray:
    return 1 + spread * np.random.default_rng(seed).uniform(-1, 1, (count, 8))


def test_records_do_not_depend_on_order_or_company(library: Library, specimens: Specimens) -> None:
    table = random_points(1, 8, 0.1)
    forwards = [
        r.strains
        for r in NativeSimulation(sheet(), specimens, library=library).simulate_table(table)
    ]
    backwards = NativeSimulation(sheet(), specimens, library=library)
    for i in reversed(range(8)):
        assert np.array_equal(backwards.simulate(table[i]).strains, forwards[i], equal_nan=True)
    alone = NativeSimulation(sheet(), specimens, library=library).simulate(table[3])
    assert np.array_equal(alone.strains, forwards[3], equal_nan=True)


def test_a_failure_leaves_no_trace_in_the_next_record(
    library: Library, specimens: Specimens
) -> None:
    native = NativeSimulation(sheet(), specimens, library=library)
    before = native.simulate(ALPHA)
    hurried = specimens.model_copy(update={"time_limit_s": 1e-6})
    late = NativeSimulation(sheet(), hurried, library=library).simulate(ALPHA)
    assert late.status == "time_limit"
    assert "the limit is 1e-06 s" in late.reason
    for alpha in random_points(4, 6, 0.35):
        native.simulate(alpha)
    assert np.array_equal(native.simulate(ALPHA).strains, before.strains)


def scaled(law: Hardening, c: float) -> Hardening:
    """The law k(p) -> c k(c p)."""
    values = law.model_dump()
    match law:
        case Swift():
            values |= {"strength_mpa": law.strength_mpa * c ** (1 + law.exponent)}
            values |= {"prestrain": law.prestrain / c}
        case Voce():
            values |= {name: c * values[name] for name in ("yield_stress_mpa", "saturation_mpa")}
            values |= {"rate": c * law.rate}
        case HockettSherby():
            stresses = ("yield_stress_mpa", "saturation_stress_mpa")
            values |= {name: c * values[name] for name in stresses}
            values |= {"rate": c**law.exponent * law.rate}
        case Mixed():
            values |= {"swift": scaled(law.swift, c), "voce": scaled(law.voce, c)}
        case Nodes():
            values |= {"prestrain": law.prestrain / c}
            values |= {"plastic_strains": tuple(p / c for p in law.plastic_strains)}
            values |= {"stresses_mpa": tuple(c * k for k in law.stresses_mpa)}
        case Tabulated():
            values |= {"plastic_strains": tuple(p / c for p in law.plastic_strains)}
            values |= {"stresses_mpa": tuple(c * k for k in law.stresses_mpa)}
    return type(law).model_validate(values)


@pytest.mark.parametrize("exponent", [8.0, 6.5])
@pytest.mark.parametrize("law", LAWS)
def test_alpha_and_stress_scales_cancel(
    library: Library, specimens: Specimens, law: str, exponent: float
) -> None:
    """alpha -> c alpha with k(p) -> c k(c p) leaves strains and forces unchanged."""
    c = 1.3
    control = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)
    material = sheet(law, exponent)
    stronger = material.model_copy(update={"hardening": scaled(material.hardening, c)})

    def run(material: Material, alpha: np.ndarray) -> np.ndarray:
        record = NativeSimulation(material, specimens, control, library).simulate(alpha)
        assert record.status == "ok"
        return np.concatenate([record.strains, record.forces / 1e4])

    assert run(stronger, c * ALPHA) == pytest.approx(run(material, ALPHA), abs=1e-9)


def test_necking_is_recognised(library: Library) -> None:
    specimens = Specimens(
        angles_deg=(0.0,), mesh=Mesh(along=12, across=6), end_displacement_mm=6.0, output_times=12
    )
    record = NativeSimulation(sheet(), specimens, library=library).simulate(ALPHA)
    assert record.status == "necked"
    assert np.isnan(record.strains).all()
    assert "stopped in step" in record.reason


def test_too_large_steps_are_cut(library: Library) -> None:
    """One step to the end from nothing fails, and is reached in pieces."""
    specimens = Specimens(
        angles_deg=(45.0,), mesh=Mesh(along=12, across=6), output_times=1, steps_per_output=1
    )
    gentle = dataclasses.replace(Control(), warm_start=False)
    native = NativeSimulation(sheet(), specimens, gentle, library)
    assert native.simulate(ALPHA).status == "ok"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(st.floats(-3, 5) | st.floats(), min_size=8, max_size=8),
    family=st.sampled_from(["hill48", "barlat89", "yld2000_2d", "yld2000_2d"]),
    exponent=st.sampled_from([2.0, 4.0, 6.0, 8.0]) | st.floats(2, 20),
    law=st.sampled_from(sorted(LAWS)),
)
def test_extreme_parameters_end_with_a_status(
    library: Library, values: list[float], family: str, exponent: float, law: str
) -> None:
    material = sheet(law, 2.0 if family == "hill48" else exponent, family)
    parameters = np.array(values[: len(material.parameters)])
    specimens = Specimens(
        angles_deg=(0.0, 45.0), mesh=Mesh(along=8, across=4), output_times=3, steps_per_output=1,
        time_limit_s=2,
    )  # fmt: skip
    native = NativeSimulation(material, specimens, library=library)
    record = native.simulate(parameters)
    assert record.status in RecordStatus.NAMES
    values = np.concatenate([record.strains, record.forces])
    assert np.isfinite(values).all() if record.status == "ok" else np.isnan(values).all()
    assert bool(record.reason) == (record.status != "ok")


def test_steps_hit_the_output_times() -> None:
    times, is_output = load_steps((0.25, 0.5, 0.75, 1.0), 3)
    assert times[is_output] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert np.all(np.diff(times) > 0)
    assert times[0] <= 0.01
    assert np.diff(times).max() <= 1 / 12 + 1e-12


def test_alpha_of_another_length_is_refused(specimens: Specimens, library: Library) -> None:
    with pytest.raises(UnsupportedMaterial, match=r"shape \(7,\); yld2000_2d takes 8"):
        NativeSimulation(sheet(), specimens, library=library).simulate(np.ones(7))


def test_the_function_is_the_class(library: Library, specimens: Specimens) -> None:
    expected = NativeSimulation(sheet(), specimens, library=library).simulate(ALPHA)
    assert np.array_equal(simulate(ALPHA, sheet(), specimens).strains, expected.strains)
