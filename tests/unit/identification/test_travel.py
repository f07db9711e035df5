"""Ends whose displacement was told by lines of the field and an isotropic sheet are told anew."""

import numpy as np

from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.specimen import Piece
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.nuisances.travel import SHARES, Travel
from hpc_jobs.measurement.isotropic import curve_between_lines, strip_between_lines
from tests.unit.identification.test_nuisances import campaign

HALF_MM = 9.0
DEEP_DRAWING = np.array([1.05, 0.98, 1.08, 0.97, 0.98, 0.95, 1.0, 1.02])


def _lines(parameters: np.ndarray):
    """Curve of the first specimen between two lines, on the production mesh."""
    specimens = campaign().specimens
    test = specimens.tests[0]
    moments = test.end_displacement_mm * SHARES
    one = specimens.model_copy(
        update={
            "angles_deg": (test.angle_deg,),
            "mesh": MESH_LEVELS["production"],
            "patches": strip_between_lines(HALF_MM, test.geometry),
            "output_times": len(moments),
            "end_displacement_mm": float(moments[-1]),
            "pieces": (Piece(displacements_mm=tuple(moments.tolist())),),
        }
    )
    record = backend_of("native")[1].simulate(parameters, campaign().material, one)
    assert record.status == "ok"
    return curve_between_lines(record, moments, HALF_MM)


def test_a_sheet_is_drawn_until_its_own_lines_are_where_the_measured_ones_were():
    """By the isotropic sheet alone the ends would be some tenths of a per cent off."""
    isotropic, own = _lines(np.ones(8)), _lines(DEEP_DRAWING)
    drawn = np.linspace(0.2, 0.75, 5)
    told = isotropic.displacement_at(own.extension_at(drawn))  # what an import would say
    before = np.abs(told / drawn - 1).max()
    specimens = campaign().specimens
    one = specimens.model_copy(update={"angles_deg": (0.0,)})
    travel = Travel(backend_of("native")[1], campaign().material, (HALF_MM, None, None))
    material = campaign().material
    found = travel.displacements(0, told, one, DEEP_DRAWING, material, one)
    after = np.abs(found / drawn - 1).max()
    assert before > 2e-3
    assert after < before / 2 and after < 2e-3
    untold = travel.displacements(1, told, one, DEEP_DRAWING, material, one)
    np.testing.assert_array_equal(untold, told)
