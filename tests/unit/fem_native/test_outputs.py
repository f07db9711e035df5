"""Thickness and plastic strain of the patches: both solvers, and what they must add up to."""

import dataclasses

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.record import Record
from hpc_jobs.fem.reference import simulation
from tests.unit.fem_native.conftest import ALPHA, sheet

TIGHT = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)
TESTS = Specimens(
    angles_deg=(0.0, 45.0),
    geometries=(Geometry(thickness_mm=1.2), Geometry(name="arc", shape="arc", notch_length_mm=14)),
    mesh=Mesh(along=12, across=6),
    output_times=3,
    steps_per_output=1,
    outputs=("plastic_strain", "thickness"),
)


def native(library: Library, specimens: Specimens, control: Control = TIGHT) -> Record:
    return NativeSimulation(sheet(), specimens, control, library).simulate(ALPHA)


@pytest.mark.parametrize("use_symmetry", [True, False])
def test_both_solvers_agree(library: Library, use_symmetry: bool) -> None:
    found = native(library, TESTS, dataclasses.replace(TIGHT, use_symmetry=use_symmetry))
    expected = simulation.simulate(ALPHA, sheet(), TESTS, tolerance=1e-11, quick=99)
    assert list(found.outputs) == list(expected.outputs) == ["plastic_strain", "thickness"]
    for name, values in expected.outputs.items():
        assert values.shape == (TESTS.output_values,)
        assert found.outputs[name] == pytest.approx(values, rel=0, abs=1e-9)


def test_they_leave_strains_and_forces_alone(library: Library) -> None:
    plain = native(library, TESTS.model_copy(update={"outputs": ()}))
    record = native(library, TESTS)
    assert plain.outputs == {}
    assert np.array_equal(record.strains, plain.strains)
    assert np.array_equal(record.forces, plain.forces)


def test_one_alone_is_the_same(library: Library) -> None:
    alone = native(library, TESTS.model_copy(update={"outputs": ("thickness",)}))
    assert list(alone.outputs) == ["thickness"]
    assert np.array_equal(alone.outputs["thickness"], native(library, TESTS).outputs["thickness"])


def test_the_volume_is_kept_but_for_the_elastic_part(library: Library) -> None:
    """ln(t/t0) = -(exx + eyy) + (1 - 2 nu)(T_xx + T_yy)/E: the sheet swells a little in tension."""
    record = native(library, TESTS)
    in_plane = record.strains.reshape(TESTS.strain_shape).sum(axis=0)
    initial = np.array([1.2, 1.2, 1.0, 1.0])[:, None, None]
    thickness = record.outputs["thickness"].reshape(in_plane.shape)
    dilatation = np.log(thickness / initial) + in_plane
    assert dilatation.min() > 0
    assert dilatation.max() < 2 * 1200 / 2e5
    assert thickness[..., -1].min() < 0.99 * initial.min()


def test_the_largest_patch_is_below_the_largest_point(library: Library) -> None:
    record = native(library, TESTS)
    plastic = record.outputs["plastic_strain"].reshape(TESTS.strain_shape[1:])
    assert 0.3 * record.largest_plastic_strain < plastic.max() < record.largest_plastic_strain
    assert np.all(np.diff(plastic, axis=-1) > -1e-12)


def test_a_failed_record_has_gaps_in_all_of_them(library: Library) -> None:
    for record in (
        native(library, TESTS.model_copy(update={"end_displacement_mm": 6.0})),
        simulation.simulate(np.full(8, np.nan), sheet(), TESTS),
    ):
        assert record.status != "ok"
        assert np.isnan(np.concatenate(list(record.outputs.values()))).all()
        assert len(record.outputs["thickness"]) == TESTS.output_values
