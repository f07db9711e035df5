"""A search of some trials in this process: study, space, hand-over, final, choice."""

import argparse
import dataclasses
import time

import pytest
import yaml
from optuna.trial import FixedTrial, TrialState

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.facts import SearchFacts
from hpc_jobs.contract.records import ElementResult, publish_model, read_model
from hpc_jobs.contract.study import Choice, Finalists, SeedResult
from hpc_jobs.contract.training import Training
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.job_folder.writer import take_lock
from hpc_jobs.jobs import choose_network, search, train_finalist
from hpc_jobs.learning.errors import Interrupted
from hpc_jobs.learning.search import worker
from hpc_jobs.learning.search.journal import open_storage
from hpc_jobs.learning.search.owner import LATE_S, VISIBLE_S, NodeProcess, Owner
from hpc_jobs.learning.search.places import Cause, Note
from hpc_jobs.learning.search.space import suggest
from hpc_jobs.learning.search.study import open_study
from hpc_jobs.learning.training.team import Team
from hpc_jobs.runtime.element import Element
from tests.unit.learning.records import campaign_of

SEARCH = {
    "trials": 4,
    "workers": 1,
    "epochs": 2,
    "batch": 32,
    "finalists": 2,
    "seeds": 2,
    "space": {
        "mlp": {"fixed": {"components": 16}, "width": [8, 32], "learning_rate": [1e-4, 1e-2]},
        "multitask_cnn": {
            "fixed": {"components": 16, "channels": 8},
            "deep_heads": [[], ["MP3"]],
            "dropout": [0, 0.2],
        },
    },
}


@pytest.fixture
def campaign():
    document = campaign_of().model_dump(mode="json") | {"search": SEARCH}
    return Campaign.model_validate(document)


@pytest.fixture
def packed(run, campaign):
    publish_dataset(run, campaign)
    return run


def element(run, index=0, name="s"):
    frozen = read_model(FrozenCampaign, run.campaign)
    return Element(index, run, argparse.Namespace(name=name), frozen)


def study_of(run, campaign):
    dataset = open_dataset(run, campaign.training.validation_fraction)
    return open_study(run.search("s"), campaign, campaign.search, dataset)


def an_owner(**changes):
    known = {"token": "t", "element": 0, "job_id": "7", "process": NodeProcess.current()}
    return Owner(**known | {"begun": time.time()} | changes)


def test_from_first_trial_to_choice(packed, campaign):
    assert search.work(Team(), element(packed)) == SearchFacts(completed=4, trials=4)
    assert search.work(Team(), element(packed, 1)) == SearchFacts(completed=0, trials=4)

    found = read_model(Finalists, packed.search("s").finalists)
    assert len(found.trainings) == len(found.finalists) * 2 <= campaign.search.trainings
    assert {one.network.epochs for one in found.finalists[1:]} == {None}  # as the campaign says
    assert found.importance == {}  # four trials say nothing
    for number in range(campaign.search.trainings):
        train_finalist.work(Team(), element(packed, number))
    [first, *_] = [read_model(SeedResult, packed.search("s").trained(n)) for n in range(4)]
    assert (first.network, first.seed) == ("multitask_cnn", found.seeds[0])
    assert first.best_epoch <= campaign.training.epochs

    choose_network.work(element(packed))
    choice = read_model(Choice, packed.search("s").choice)
    assert choice.contenders[choice.present].p is None
    rivals = {n: c for n, c in choice.contenders.items() if n != choice.present}
    assert {n: c.better for n, c in rivals.items()} == {
        n: c.p < choice.level for n, c in rivals.items()
    }
    better = [name for name, contender in rivals.items() if contender.better]
    lowest = min(better, key=lambda name: rivals[name].mean, default=None)
    assert choice.recommended == lowest
    networks = yaml.safe_load(choice.networks_yaml)["networks"]
    described = campaign.training.model_dump(mode="json") | {"networks": networks}
    again = Training.model_validate(described).networks
    assert again[-1] == campaign.training.networks[0]
    if choice.recommended:
        assert again[0].name == choice.recommended
    for name in ("front", "seeds"):
        assert packed.search("s").figure(name).stat().st_size > 5000


def test_a_trial_is_a_function_of_its_number(packed, campaign):
    """The first draws are random ones; the same number, the same network and the same error."""
    facts = []
    for name in ("a", "b"):
        search.work(Team(), element(packed, name=name))
        trials = read_model(Finalists, packed.search(name).finalists).trials
        facts.append({trial.number: (trial.network, trial.error) for trial in trials})
    assert facts[0] == facts[1]
    assert len({network.seed for network, _ in facts[0].values()}) == 4


def test_the_test_set_stays_closed(packed, campaign, monkeypatch):
    dataset = open_dataset(packed, campaign.training.validation_fraction)
    closed = dataclasses.replace(dataset, test=ClosedSplit(dataset.test))
    monkeypatch.setattr(search, "open_dataset", lambda *_: closed)
    assert search.work(Team(), element(packed)).trials == 4


class ClosedSplit:
    """Tells its length, and nothing else."""

    def __init__(self, split):
        self._length = len(split)

    def __len__(self):
        return self._length


def test_a_journal_of_other_records_or_another_search_is_refused(packed, campaign):
    study_of(packed, campaign)
    less = campaign.search.model_copy(update={"trials": 3})
    dataset = open_dataset(packed, campaign.training.validation_fraction)
    for search_, data in (
        (less, dataset),
        (campaign.search, dataclasses.replace(dataset, sha256="x")),
    ):
        with pytest.raises(ConfigurationError, match=r"journal\.log: holds trials of another"):
            open_study(packed.search("s"), campaign, search_, data)


def test_a_handed_over_trial_is_continued_from_its_checkpoint(packed, campaign, monkeypatch):
    told = iter([False, False, False, True])
    real = worker.fit_network

    def interrupted(*args, stop, **kwargs):
        return real(*args, stop=lambda: next(told, False), **kwargs)

    monkeypatch.setattr(worker, "fit_network", interrupted)
    with pytest.raises(Interrupted, match="run again to resume"):
        search.work(Team(), element(packed))
    assert list(packed.search("s").trial(0).rglob("*.pt"))
    search.work(Team(), element(packed))
    first, again, *_ = study_of(packed, campaign).trials()
    assert (first.state, first.user_attrs[Note.CAUSE]) == (TrialState.FAIL, Cause.HANDED_OVER)
    assert (again.user_attrs[Note.REPEATS], again.user_attrs[Note.DEATHS]) == (0, 0)
    assert again.user_attrs[Note.NETWORK] == first.user_attrs[Note.NETWORK]
    assert not list(packed.search("s").root.rglob("*.pt"))


def test_diverged_trials_do_not_count_and_too_many_end_the_search(packed, campaign):
    fixed = {"components": 16, "weight_decay": 100, "batch_size": 8}  # each step: weights by -99
    wild = {"mlp": {"fixed": fixed, "learning_rate": [0.9, 1.0]}}
    settings = campaign.search.model_dump(mode="json") | {"space": wild}
    other = campaign.model_copy(update={"search": type(campaign.search).model_validate(settings)})
    frozen = read_model(FrozenCampaign, packed.campaign)
    publish_model(packed.campaign, frozen.model_copy(update={"campaign": other}))
    with pytest.raises(ConfigurationError, match=r"11 trials failed.*the loss is.*narrow"):
        search.work(Team(), element(packed))
    trials = study_of(packed, other).trials()
    assert {trial.user_attrs[Note.CAUSE] for trial in trials} == {Cause.DIVERGED}


def test_a_search_that_nobody_described(run, campaign):
    frozen = read_model(FrozenCampaign, run.campaign)
    none = campaign.model_copy(update={"search": None})
    publish_model(run.campaign, frozen.model_copy(update={"campaign": none}))
    with pytest.raises(ConfigurationError, match="add the section `search`"):
        search.work(Team(), element(run))


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path):
    path = tmp_path / "journal.log"
    storage = open_storage(path)
    storage.create_new_study([1, 2], "first")
    with path.open("a") as file:
        file.write('{"op_code": 2, "stu')
    open_storage(path).set_study_user_attr(0, "key", "value")
    assert open_storage(path).get_study_user_attrs(0) == {"key": "value"}
    assert storage.get_study_user_attrs(0) == {"key": "value"}


def test_every_value_of_a_space_reaches_the_network(campaign):
    drawn = {"kind": "multitask_cnn", "multitask_cnn.deep_heads": '["MP3"]'}
    trial = FixedTrial(drawn | {"multitask_cnn.dropout": 0.1})
    network = suggest(trial, campaign.search, "trial-1", seed=5)
    assert (network.deep_heads, network.dropout, network.channels) == (("MP3",), 0.1, 8)
    assert (network.name, network.seed, network.epochs) == ("trial-1", 5, 2)


def test_a_worker_is_gone_when_the_job_folder_says_so(run):
    me, job = an_owner(), run.job("t")
    assert me.end(run) == ""  # its lock is not seen yet
    assert "given up" in an_owner(begun=time.time() - VISIBLE_S - 1).end(run)
    assert take_lock(job, 0, "7")
    assert an_owner(begun=0).end(run) == ""
    assert "job 7 took over from 6" in an_owner(job_id="6").end(run)
    result = ElementResult(
        element=0, outcome="failed", job_id="7", host="n", started=0, wall_s=1, cpu_s=1
    )
    publish_model(job.result(0), result)
    assert "job 7 has ended: failed" in me.end(run)


def test_a_worker_is_gone_with_its_process_or_its_walltime(run):
    here = NodeProcess.current()
    assert not here.is_gone
    reused = here.model_copy(update={"started": here.started - 1})
    assert reused.is_gone
    assert not reused.model_copy(update={"host": "elsewhere"}).is_gone  # not seen from here
    elsewhere = here.model_copy(update={"host": "elsewhere"})
    late = an_owner(process=elsewhere, token=None, ends=time.time() - LATE_S - 1)
    assert "walltime" in late.end(run)
    assert an_owner(process=elsewhere, token=None, ends=time.time() + 9).end(run) == ""
