"""Prices: what was bought has one, what was not has none."""

import pytest

from hpc_jobs.contract.report import UsageReport
from operators.pages.money import costs_of
from tests.harness.reports import REPORT


def test_core_hours_by_what_they_bought():
    paid = REPORT.model_copy(update={"usage": UsageReport(core_hours=2.0)})
    costs = costs_of(paid)
    assert costs["core_hours_per_good_record"] == pytest.approx(2 / 1190)
    assert costs["core_hours_per_percent_of_error"] == pytest.approx(2 / 98)  # .004 of .2
    assert costs["core_hours_per_answered_coil"] == pytest.approx(2.0)  # the other is outside
    worse = paid.gate.model_copy(update={"champion_error": 0.003})
    assert "core_hours_per_percent_of_error" not in costs_of(
        paid.model_copy(update={"gate": worse})
    )
    assert costs_of(REPORT) == {}
