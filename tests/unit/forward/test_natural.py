"""What a measurement knows of its sheet, in the coordinates of a family."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.examination import KNOWABLE, OF_MODEL
from hpc_jobs.forward.natural import Natural
from hpc_jobs.identification.nuisances.kinds import KIND
from tests.harness.families import small_family


def test_knowledge_of_nuisances_that_no_record_varies_is_left_to_the_examination() -> None:
    natural = Natural.of(small_family())
    known = {"exponent": (6.0, 0.0), "notch_width_mm@45": (0.03, 0.02)}
    more = {"axis_deg@45": (0.0, 0.1), "compliance": (0.0, 0.002), "patch_along_mm@0": (0.0, 0.04)}
    np.testing.assert_array_equal(natural.told(known), natural.told({**known, **more}))
    with pytest.raises(BadInput, match="'exponnent', which is no coordinate of this family"):
        natural.told({"exponnent": (6.0, 0.0)})
    for of_model in OF_MODEL:
        with pytest.raises(BadInput, match=f"'{of_model}', which is no coordinate"):
            natural.told({of_model: (0.0, 1e-5)})


def test_what_a_measurement_may_know_beside_its_sheet_is_what_an_examination_fits() -> None:
    assert set(KIND) == KNOWABLE
