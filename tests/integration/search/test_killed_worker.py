"""A search survives a killed worker and ends with the right number of finished trials.

Two real workers, as the array job starts them, on one journal; one is killed amid a trial.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from optuna.trial import TrialState

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import ElementResult, publish_model, read_model
from hpc_jobs.contract.study import Finalists
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.search.journal import open_storage
from hpc_jobs.learning.search.places import Cause, Note
from tests.unit.learning.records import campaign_of, fill_round

TRIALS = 30
SEARCH = {
    "trials": TRIALS,
    "workers": 2,
    "epochs": 4,
    "batch": 64,
    "finalists": 2,
    "seeds": 2,
    "space": {
        "mlp": {
            "fixed": {"components": 16},
            "depth": [1, 2],
            "width": [8, 32],
            "learning_rate": [1e-4, 1e-2],
            "schedule": ["cosine", "one_cycle"],
        }
    },
}


@pytest.fixture
def run(tmp_path):
    """A run whose few records are packed."""
    document = campaign_of().model_dump(mode="json") | {"search": SEARCH}
    campaign = Campaign.model_validate(document)
    run = RunFolder(tmp_path / "run")
    frozen = FrozenCampaign(run_id="unit", campaign=campaign, code_sha256="0" * 64)
    publish_model(run.campaign, frozen)
    fill_round(run, campaign)
    publish_dataset(run, campaign)
    return run


def start(run, element):
    with (run.root / f"{element}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "hpc_jobs.jobs.search", str(run.root), "--name", "first"],
            env=os.environ
            | {"TASK_INDEX": str(element), "HPC_TOKEN": "s", "HPC_JOB_ID": f"7_{element}"}
            | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def workers(run):
    """Two of them, at work."""
    processes = [start(run, element) for element in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait(30)


def trials_of(run):
    storage = open_storage(run.search("first").journal)
    return storage.get_all_trials(0) if storage.get_all_studies() else []


def at_work(run):
    """Trials that train, but for the first few."""
    return [
        trial
        for trial in trials_of(run)
        if trial.state is TrialState.RUNNING and Note.NETWORK in trial.user_attrs
        if trial.number >= 4
    ]


def kill_amid_a_trial(run, workers):
    """Stop one, see that it trains and that nobody holds the journal's lock, and kill it."""
    lock = run.search("first").journal.with_suffix(".log.lock")
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and None in (worker.poll() for worker in workers):
        time.sleep(0.02)
        if not (found := run.search("first").journal.exists() and at_work(run)):
            continue
        element = found[0].user_attrs[Note.OWNER]["element"]
        workers[element].send_signal(signal.SIGSTOP)
        still = [trial for trial in at_work(run) if trial.number == found[0].number]
        if still and not lock.exists():
            workers[element].kill()
            workers[element].wait(30)
            return element, still[0]
        workers[element].send_signal(signal.SIGCONT)
    raise AssertionError("".join(log.read_text() for log in sorted(run.root.glob("*.log"))))


def test_thirty_trials_survive_a_killed_worker(run, workers):
    victim, killed = kill_amid_a_trial(run, workers)
    survivor = 1 - victim
    assert workers[victim].returncode == -signal.SIGKILL
    assert workers[survivor].wait(300) == 0, (run.root / f"{survivor}.log").read_text()
    trials = trials_of(run)

    states = Counter(trial.state for trial in trials)
    surplus = [t.number for t in trials if t.user_attrs.get(Note.CAUSE) == Cause.SURPLUS]
    assert states == {TrialState.COMPLETE: TRIALS, TrialState.FAIL: 1 + len(surplus)}
    assert len(surplus) < SEARCH["workers"]

    orphan = trials[killed.number]
    assert orphan.user_attrs[Note.CAUSE] == Cause.ORPHANED
    assert "is gone" in orphan.user_attrs[Note.REASON]
    [again] = [t for t in trials if t.user_attrs.get(Note.REPEATS) == killed.number]
    assert again.state is TrialState.COMPLETE
    assert again.params == killed.params
    assert again.user_attrs[Note.NETWORK] == killed.user_attrs[Note.NETWORK]  # its seed, too
    assert again.user_attrs[Note.OWNER]["element"] == survivor

    check_spools(run, trials)
    check_results(run, trials, victim, survivor)


def check_spools(run, trials):
    """One per trial, whoever did it: params, both objectives, an end."""
    objectives = {}
    for path in run.job("s").spool.iterdir():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        kinds = Counter(line["kind"] for line in lines)
        assert kinds["run"] == 1 and kinds["params"] >= 1
        assert lines[-1] == {"kind": "end", "status": "FINISHED"}
        values = {line["key"]: line["value"] for line in lines if line["kind"] == "metric"}
        objectives[path.stem] = [values["objective/error"], values["objective/samples_per_s"]]
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert objectives == {
        f"first-trial-{trial.user_attrs.get(Note.ORIGIN, trial.number):05d}": trial.values
        for trial in done
    }


def check_results(run, trials, victim, survivor):
    result = read_model(ElementResult, run.job("s").result(survivor))
    assert (result.outcome, result.facts["trials"]) == ("done", TRIALS)
    assert not run.job("s").result(victim).exists()
    found = read_model(Finalists, run.search("first").finalists)
    assert len(found.trials) == TRIALS
    front = [trial for trial in found.trials if trial.on_front]
    assert [t.error for t in front] == sorted(t.error for t in front)
    assert [t.samples_per_s for t in front] == sorted(t.samples_per_s for t in front)
    assert front[0].error == min(trial.values[0] for trial in trials if trial.values)
    assert sum(found.importance.values()) == pytest.approx(1)
    assert set(found.importance) >= {"mlp.width", "mlp.learning_rate", "mlp.schedule"}
    assert [finalist.trial for finalist in found.finalists][:2] == [None, front[0].number]
