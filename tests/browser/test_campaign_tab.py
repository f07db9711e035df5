"""What a person sees of a DAG run that has ended: the real web interface, in Chromium."""

import pytest

from quickstart.stack.supervisor import Stack
from tests.browser.seeded_runs import seed
from tests.harness.waiting import wait_until


@pytest.fixture(scope="module")
def seeded(stack: Stack) -> None:
    seed(stack)


def test_from_the_dag_run_one_click_leads_to_verdict_and_parameters(seeded, home, window):
    window.open(f"{home}/dags/hybrid_campaign/runs/seen-refused")
    window.click("Campaign")
    window.reads("not promoted: [it] failed")
    for text in ("Champion before: none", "dp780 (network): pass", "0.751 to 0.811", "core-hours"):
        window.reads(text)
    window.reads("as of")
    wide = window.run("return document.querySelector('#campaign-page').scrollWidth")
    assert wide <= window.run("return window.innerWidth")
    links = window.run(
        "return [...document.querySelectorAll('#campaign-page a')].map((one) => one.href)"
    )
    assert any("#/experiments/7/runs/feed/artifacts/report.html" in link for link in links)


def test_a_failed_campaign_says_so_first_and_leads_to_what_failed(seeded, home, window):
    window.open(f"{home}/dags/hybrid_campaign/runs/seen-failed/plugin/campaign")
    window.reads("This run failed.")
    window.click("train.train_networks")
    window.reads("train_networks")
    wait_until(lambda: "/tasks/" in window.run("return location.pathname"), what="its page")
    assert "train.train_networks" in window.run("return location.pathname")


def test_a_dag_run_that_is_no_campaign_has_one_quiet_line(seeded, home, window):
    window.open(f"{home}/dags/cluster_check/runs/other/plugin/campaign")
    window.reads("This DAG run has not opened a campaign's run.")
    assert "Stages" not in window.text and "Materials" not in window.text
