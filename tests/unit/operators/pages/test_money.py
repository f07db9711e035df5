"""Prices: what was bought has one, what was not has none."""

from typing import Any

import pytest

from hpc_jobs.contract.report import UsageReport
from operators.pages.campaign_report import render
from operators.pages.money import costs_of
from tests.harness.reports import REPORT

NOTHING: dict[str, Any] = {"networks": [], "alloys": {}}


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


def test_the_page_of_a_campaign_names_the_prices():
    paid = REPORT.model_copy(update={"usage": UsageReport(core_hours=2.0)})
    page = render(paid, NOTHING)
    assert "core-hours a good record</td><td>0.00168" in page
    assert "core-hours an answered sheet</td><td>2" in page
    assert "core-hours a good record" not in render(REPORT, NOTHING)
