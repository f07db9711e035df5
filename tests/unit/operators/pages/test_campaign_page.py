"""The Campaign tab's document: what a person asks first, at a size that elements do not change."""

import json

import pytest

from hpc_jobs.contract.facts import PackedFacts
from hpc_jobs.contract.report import ArrayProgress, ReplayReport, RoundPlan
from hpc_jobs.contract.validation import Found
from operators.hooks.mlflow import MODE
from operators.pages.campaign_page import campaign_document
from operators.pages.tasks import Task
from tests.harness.reports import GATE, REPORT, array_report

ROUND = RoundPlan(round=0, train_records=10_000, records=10_300, shards=15)


@pytest.fixture
def handle(cluster):
    return dict(cluster.handle())


def tasks(handle, *more) -> list[Task]:
    return [
        Task("open_run", "success", 3.0, handle),
        Task("first_round", "success", 1.0, ROUND.model_dump(mode="json")),
        Task("simulate.solve_shards", "deferred"),
        *more,
    ]


def ended(handle, report=REPORT) -> list[Task]:
    solved = array_report("solve_shard", elements=15, done=14, failed=1)
    return [
        *tasks(handle)[:2],
        Task("simulate.solve_shards", "success", 60.0, solved.model_dump(mode="json")),
        Task("gate", "success", 1.0, GATE.model_dump(mode="json")),
        Task("report", "success", 1.0, report.model_dump(mode="json")),
    ]


def test_what_is_under_way_is_counted_against_what_is_planned(handle):
    page = campaign_document(tasks(handle), "running")
    [stage] = page["stages"]
    assert (stage["planned"], stage["done"], stage["state"]) == (15, 0, "deferred")
    assert page["verdict"] == {"tone": "open", "words": "At work."}
    assert page["materials"] == [] and page["links"] == []


def test_what_is_under_way_is_shown_live_with_planned_totals(handle):
    told = ArrayProgress(
        as_of=1.0, elements=15, done=6, running=2, pending=7, work_done=4200,
        work_planned=10_300, unit="records", rate_per_s=12.0, left_s=508.0,
    )  # fmt: skip
    live = Task("simulate.solve_shards", "deferred", progress=told.model_dump(mode="json"))
    [stage] = campaign_document([*tasks(handle)[:2], live], "running")["stages"]
    assert (stage["planned"], stage["done"], stage["running"]) == (15, 6, 2)
    assert (stage["live"]["work_done"], stage["live"]["work_planned"]) == (4200, 10_300)
    solved = array_report("solve_shard", elements=15, done=15).model_dump(mode="json")
    after = Task(live.task_id, "success", 1.0, solved, live.progress)
    [stage] = campaign_document([*tasks(handle)[:2], after], "running")["stages"]
    assert stage["done"] == 15 and "live" not in stage, "its report counts more than its progress"


def test_a_refusal_is_said_in_words_with_the_champion_before(handle):
    page = campaign_document(ended(handle), "success", "http://mlflow")
    assert page["verdict"]["tone"] == "bad"
    assert "not promoted: [it] failed" in page["verdict"]["words"]
    assert "Champion before: none" in page["verdict"]["words"]
    [stage] = page["stages"]
    assert (stage["planned"], stage["done"], stage["lost"]) == (15, 14, 1)
    assert page["records"] == {"ok": 1190, "necked": 10}
    assert [n["name"] for n in page["networks"]] == ["mlp", "multitask_cnn"]


def test_identified_quantities_have_intervals_and_what_was_not_answered_its_reason(handle):
    materials = campaign_document(ended(handle), "success")["materials"]
    found = {(one["name"], one["by"]): one for one in materials}
    [row] = found["dp780", "network"]["quantities"]
    assert (row["found"], row["interval"], row["true"]) == ("0.781", "0.751 to 0.811", "0.800")
    outside = found["aa2090", "network"]
    assert (
        outside["verdict"] == "outside" and "outside the <trained> range" in outside["reasons"][0]
    )
    assert outside["quantities"][0]["found"] == "–"


def test_links_lead_to_report_run_and_model(handle):
    report = REPORT.model_copy(update={"mlflow_experiment_id": "7"})
    links = campaign_document(ended(handle, report), "success", "http://mlflow")["links"]
    run = handle["mlflow_run_id"]
    assert [link["label"] for link in links] == ["Report", "MLflow run", "Model"]
    page = f"http://mlflow/#/experiments/7/runs/{run}/artifacts/report.html{MODE}"
    assert links[0]["href"] == page


def test_a_failed_run_names_its_failed_tasks_whatever_came_before(handle):
    failed = Task("train.train_networks", "failed", cause="4 of 4: no such network")
    after = Task("validate.identify", "upstream_failed")
    page = campaign_document(tasks(handle, failed, after), "failed")
    assert page["verdict"]["tone"] == "bad" and page["failed"] == [
        {"task_id": "train.train_networks", "cause": "4 of 4: no such network"}
    ]


def test_a_dag_run_without_a_campaign_says_so():
    page = campaign_document([Task("table", "success", 1.0, "nothing to do")], "success")
    assert page == {"campaign": False, "failed": []}


def test_its_size_does_not_grow_with_the_elements(handle):
    big = array_report("solve_shard", elements=100_000, done=99_000, failed=1000)
    documents = [
        json.dumps(
            campaign_document(
                [
                    *tasks(handle)[:2],
                    Task("simulate.solve_shards", "success", 1.0, one.model_dump(mode="json")),
                ],
                "running",
            )
        )
        for one in (array_report("solve_shard", elements=3, done=3), big)
    ]
    assert len(documents[1]) < len(documents[0]) + 100 < 200 * 1024


def test_failures_stand_by_region_those_axes_first_on_which_they_differ(handle):
    failed_in = {
        "r_value_0": {"low": 7, "middle": 6, "high": 7},
        "r_value_90": {"low": 0, "middle": 1, "high": 19},
    }
    packed = PackedFacts(
        generation=0, train=10_000, test=280, by_status={"ok": 10_280, "necked": 20},
        missing_shards=0, sha256="ab" * 32, failed_in=failed_in,
    )  # fmt: skip
    told = array_report("publish_dataset", packed).model_dump(mode="json")
    published = Task("simulate.publish_dataset", "success", 9.0, told)
    failures = campaign_document([*tasks(handle), published], "running")["failures"]
    assert failures["records"] == 20
    assert [one["label"] for one in failures["axes"]] == ["r90", "r0"]
    assert failures["axes"][0] == {"label": "r90", "low": 0, "middle": 1, "high": 19}
    assert campaign_document(tasks(handle), "running")["failures"] == {}


def test_networks_stand_by_their_names_with_loss_while_they_train_and_error_after(handle):
    seen = ReplayReport(
        runs={"t20261120-100000-mlp": "abc"}, metrics=8, losses={"t20261120-100000-mlp": 0.0123}
    ).model_dump(mode="json")
    follower = Task("train.follow_training", "running", progress=seen)
    page = campaign_document([*tasks(handle), follower], "running", "http://mlflow")
    [network] = page["networks"]
    assert (network["name"], network["loss"], network["error"]) == ("mlp", "0.0123", "")
    assert network["href"] == f"http://mlflow/#/runs/abc{MODE}"
    after = campaign_document([*ended(handle), follower], "success", "http://mlflow")["networks"]
    losses = {one["name"]: one["loss"] for one in after}
    assert losses == {"mlp": "0.0123", "multitask_cnn": ""}
    assert all(one["error"] for one in after)


def test_a_familys_curve_stands_with_its_unit_and_intervals(handle):
    curve = {
        "exponent": Found(value=6.2, low=5.9, high=6.5, true=6.0),
        "k@0.05": Found(value=620.0, low=610.0, high=631.0, true=618.0),
        "youngs_modulus_mpa": Found(value=206_000.0, low=201_000.0, high=211_000.0),
    }
    judged = REPORT.verdict.measurements["dp780"].model_copy(update={"found": curve})
    verdict = REPORT.verdict.model_copy(update={"measurements": {"dp780": judged}, "refined": {}})
    report = REPORT.model_copy(update={"verdict": verdict})
    [sheet] = campaign_document(ended(handle, report), "success")["materials"]
    rows = sheet["quantities"]
    told = {one["label"]: (one["found"], one["interval"], one["true"]) for one in rows}
    assert told["k(0.05), MPa"] == ("620", "610 to 631", "618")
    assert told["E, MPa"] == ("206,000", "201,000 to 211,000", "–")
    assert told["a"] == ("6.200", "5.900 to 6.500", "6.000")


def test_a_refinement_is_not_blamed_for_what_the_network_answered(handle):
    notes = {"dp780": "r_value_45 is 0.994, true 1.103: off by 0.109, more than 0.1"}
    verdict = REPORT.verdict.model_copy(update={"notes": notes})
    report = REPORT.model_copy(update={"verdict": verdict})
    sheets = campaign_document(ended(handle, report), "success")["materials"]
    told = {one["by"]: one["reasons"] for one in sheets if one["name"] == "dp780"}
    assert told == {"network": [notes["dp780"]], "refined": []}
