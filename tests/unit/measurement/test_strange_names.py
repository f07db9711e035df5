"""Knowledge of what there is not is refused, with the names that there are."""

import pytest

from hpc_jobs.measurement.file import foreign_fields


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"knowledge": {"angle_deg@54": (0.5, 0.1)}},
            "knowledge.angle_deg@54: there is no specimen 54; write angle_deg@0 or angle_deg@45 or "
            "angle_deg@90",
        ),
        ({"knowledge": {"angle_deg": (0.5, 0.1)}}, "each specimen has its own angle_deg; write"),
        ({"knowledge": {"force_gain@0": (0.0, 0.1)}}, "all specimens have one force_gain"),
        ({"knowledge": {"model_strain": (0.0, 1e-5)}}, "model_strain is no coordinate of campaign"),
        (
            {"extensometer_mm": {"54": 12.0}},
            "extensometer_mm.54: there is no specimen 54; they are",
        ),
    ],
)
def test_a_name_that_nothing_has_is_refused(campaign, header, changes, words):
    [mistake] = foreign_fields(header.model_copy(update=changes), campaign)
    assert words in mistake


def test_names_of_the_campaigns_specimens_are_known(campaign, header):
    known = {"angle_deg@45": (0.5, 0.1), "force_gain": (0.0, 0.1), "axis_deg@90": (0.0, 0.1)}
    told = header.model_copy(update={"knowledge": known, "extensometer_mm": {"0": 12.0}})
    assert foreign_fields(told, campaign) == []
