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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("notch_width_mm@54", "no specimen 54; write notch_width_mm@0 or notch_width_mm@45 or"),
        ("axis_deg", "each specimen has its own axis_deg; write axis_deg@0 or"),
        ("compliance@45", "all specimens have one compliance; write compliance"),
    ],
)
def test_knowledge_of_a_specimen_that_there_is_not_is_refused(name: str, words: str) -> None:
    family = small_family()
    with pytest.raises(BadInput, match=words):
        Natural.of(family).told({"exponent": (6.0, 0.0), name: (0.0, 0.02)})


def test_what_a_measurement_may_know_beside_its_sheet_is_what_an_examination_fits() -> None:
    assert set(KIND) == KNOWABLE
