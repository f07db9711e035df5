"""A search is frozen beside its campaign; its study and its page lie below the campaign's run."""

import base64
import re
from pathlib import Path

import pytest

from hpc_jobs.contract.errors import ConfigurationError, CorruptFile
from hpc_jobs.contract.study import Choice, Contender, SearchSettings, TrialFacts
from hpc_jobs.contract.training import Mlp
from operators.pages.search_report import log_search_report, render, sentence
from operators.runs.run import folder_of
from operators.runs.search import SEARCH, open_search

PNG = b"\x89PNG\r\n\x1a\n only its first bytes are looked at here"


@pytest.fixture
def run(bench):
    return bench.open()


def a_choice(**changes):
    trial = TrialFacts(
        number=7, network=Mlp(kind="mlp"), error=2e-3, samples_per_s=5e4, weights=900, on_front=True
    )
    present = Contender(
        trial=None, errors=(3e-3, 4e-3), mean=3.5e-3, deviation=7e-4, samples_per_s=2e4
    )
    rival = present.model_copy(
        update={"trial": 7, "mean": 2e-3, "samples_per_s": 4e4}
        | {"p": 0.01, "effect_size": -2.0, "interval": (-2e-3, -1e-3), "better": True}
    )
    choice = Choice(
        name="s1",
        trials=30,
        failed={"orphaned": 1},
        front=(trial,),
        present="mlp",
        contenders={"mlp": present, "trial-7": rival},
        importance={"mlp.width": 0.873, "mlp.depth": 0.001},
        level=0.05,
        recommended="trial-7",
        networks_yaml="networks:\n- {kind: mlp, name: <trial-7>}\n",
    )
    return choice.model_copy(update=changes)


def test_a_search_is_opened_once_and_its_settings_stay(bench, run):
    first = open_search(run, "s1", {"trials": 5}, bench.mlflow, bench.connect)
    again = open_search(
        run, "s1", {"trials": 9}, bench.mlflow, bench.connect
    )  # a retry after an edit
    assert first == again
    assert (first.workers, first.trainings) == (2, 12)
    with bench.connect("ai") as hook:
        path = folder_of(run.run_id, run.sites["gpu"]).search("s1").settings
        settings = SearchSettings.model_validate_json(hook.read(str(path)))
    assert (settings.search.trials, settings.resources_for("search").walltime_s) == (5, 3600)
    handle, study = first.run, first.study
    assert handle.mlflow_run_id == run.mlflow_run_id != study.mlflow_run_id
    logged = bench.mlflow.client.get_run(study.mlflow_run_id)
    assert logged.data.tags["mlflow.parentRunId"] == run.mlflow_run_id
    assert logged.data.tags[SEARCH] == f"{run.run_id}/s1"
    assert logged.data.params["trials"] == "5"


def test_resources_come_from_the_file_as_it_is_now(bench, run):
    bench.edit(
        "campaigns/demo.yaml",
        lambda file: file["execution"]["resources"].update(search={"walltime_s": 77}),
    )
    opened = open_search(run, "s2", None, bench.mlflow, bench.connect)
    assert opened.run.resources["search"].walltime_s == 77


def test_a_campaign_without_a_search_is_told_so_before_anything_remote(bench, run):
    bench.edit("campaigns/demo.yaml", lambda file: file.pop("search"))
    connected = list(bench.connected)
    with pytest.raises(ConfigurationError, match="no section `search`; add one"):
        open_search(run, "s3", None, bench.mlflow, bench.connect)
    assert bench.connected == connected


def test_a_search_that_does_not_fit_the_frozen_campaign_is_refused(bench, run):
    def fewer_values(file):
        file["specimens"]["output_times"] = 1
        file["specimens"]["patches"] = {"along": 2, "across": 2}
        for network in file["training"]["networks"]:
            network["components"] = 4
        file["search"]["space"]["mlp"]["components"] = [4, 8]

    bench.edit("campaigns/demo.yaml", fewer_values)
    small = bench.open("demo-small")
    bench.edit(
        "campaigns/demo.yaml",
        lambda file: (
            file["specimens"].pop("output_times"),
            file["specimens"].pop("patches"),
            file["search"]["space"]["mlp"].update(components=[16, 96]),
        ),
    )
    with pytest.raises(ConfigurationError, match=r"frozen campaign demo: components.*96"):
        open_search(small, "s4", None, bench.mlflow, bench.connect)


def test_the_page_says_what_was_found_and_lies_in_the_studys_run(bench, run):
    study = open_search(run, "s1", None, bench.mlflow, bench.connect).study
    folder = folder_of(run.run_id, run.sites["gpu"]).search("s1")
    with pytest.raises(CorruptFile, match="clear choose_network"):
        log_search_report(study, "s1", bench.mlflow, bench.connect)
    with bench.connect("ai") as hook:
        hook.write(str(folder.choice), a_choice().model_dump_json().encode())
        hook.write(str(folder.figure("front")), PNG)
    report = log_search_report(study, "s1", bench.mlflow, bench.connect)
    assert (report.recommended, report.trials) == ("trial-7", 30)
    client = bench.mlflow.require()
    page = Path(client.download_artifacts(study.mlflow_run_id, "report.html")).read_text()
    assert page.count(base64.b64encode(PNG).decode()) == 1
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing outside the page is needed
    assert "87 %" in page and "mlp.depth" not in page
    assert "&lt;trial-7&gt;" in page and "30 trials with both objectives, 1 orphaned" in page
    logged = client.get_run(study.mlflow_run_id)
    assert (logged.info.status, logged.data.tags["recommended"]) == ("FINISHED", "trial-7")


def test_the_verdict_is_one_sentence_either_way(run):
    assert sentence(a_choice()) == (
        "trial-7 is better than mlp: error 0.002 against 0.0035 over 2 seeds, p = 0.01 after Holm; "
        "2 times its samples/s."
    )
    none = a_choice(recommended=None)
    assert sentence(none) == (
        "No finalist is better than mlp (error 0.0035) at the level 0.05; it stays. But trial-7 "
        "has 2 times its samples/s, and error 0.002."
    )
    slower = {"mlp": none.contenders["mlp"]}
    assert sentence(none.model_copy(update={"contenders": slower})).endswith("it stays.")
    assert "it stays" in render(run, none, [])
