"""Every kind of specimen: native against reference, symmetric part against the whole."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.reference import simulation
from tests.unit.fem_native.conftest import ALPHA, sheet

STRIP = Geometry()
ARC = Geometry(
    name="arc", shape="arc", width_mm=16, notch_width_mm=10, notch_length_mm=12, thickness_mm=0.8
)
STRAIGHT = Geometry(name="straight", shape="straight", length_mm=40, width_mm=12.5)
FULL = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False, use_symmetry=False)
PART = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)


def strips(*geometries: Geometry, angles_deg: tuple[float, ...] = (0.0, 45.0)) -> Specimens:
    return Specimens(
        angles_deg=angles_deg,
        geometries=geometries,
        mesh=Mesh(along=12, across=6),
        output_times=3,
        steps_per_output=1,
        end_displacement_mm=0.6,
    )


@pytest.mark.parametrize("control", [FULL, PART], ids=["whole", "symmetric"])
def test_all_shapes_in_one_record(library: Library, control: Control) -> None:
    specimens = strips(STRIP, ARC, STRAIGHT)
    found = NativeSimulation(sheet(), specimens, control, library).simulate(ALPHA)
    expected = simulation.simulate(ALPHA, sheet(), specimens, tolerance=1e-11, quick=99)
    assert (found.status, expected.status) == ("ok", "ok")
    assert found.strains == pytest.approx(expected.strains, rel=0, abs=1e-9)
    assert found.forces == pytest.approx(expected.forces, rel=1e-8)


def test_a_record_of_two_geometries_is_both_records(library: Library) -> None:
    both = strips(STRIP, ARC)
    record = NativeSimulation(sheet(), both, library=library).simulate(ALPHA)
    for index, geometry in enumerate((STRIP, ARC)):
        alone = NativeSimulation(sheet(), strips(geometry), library=library).simulate(ALPHA)
        rows = slice(2 * index, 2 * index + 2)
        strains = record.strains.reshape(both.strain_shape)[:, rows]
        assert np.array_equal(strains.ravel(), alone.strains)
        assert np.array_equal(record.forces.reshape(both.force_shape)[rows].ravel(), alone.forces)


@pytest.mark.parametrize("angle_deg", [0.0, 30.0, 90.0])
@pytest.mark.parametrize("geometry", [ARC, STRAIGHT], ids=lambda geometry: geometry.name)
def test_the_symmetric_part_says_everything(
    library: Library, geometry: Geometry, angle_deg: float
) -> None:
    specimens = strips(geometry, angles_deg=(angle_deg,))
    whole, part = (
        NativeSimulation(sheet(), specimens, control, library).simulate(ALPHA)
        for control in (FULL, PART)
    )
    assert part.strains == pytest.approx(whole.strains, rel=0, abs=1e-10)
    assert part.forces == pytest.approx(whole.forces, rel=1e-9)


def test_a_failure_names_its_specimen(library: Library) -> None:
    specimens = strips(STRIP, STRAIGHT).model_copy(update={"end_displacement_mm": 4.0})
    record = NativeSimulation(sheet(), specimens, library=library).simulate(ALPHA)
    assert record.status == "necked"
    assert "specimen strip 0 deg stopped in step" in record.reason
    assert len(record.strains) == specimens.strain_values
