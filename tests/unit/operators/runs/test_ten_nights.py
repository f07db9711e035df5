"""Ten nights in a row: nothing is lost, nothing done twice, and each night and morning says so.

One night is killed, one finds the cluster gone, one morning's measurement is no measurement, and
then the coils drift: the charts alarm, the next night aims at them, and a network is trained anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.drift import DriftReport
from hpc_jobs.contract.gate import DecisionDocument
from hpc_jobs.contract.records import ShardFields, sha256_of
from hpc_jobs.contract.report import GateReport
from hpc_jobs.measurement.measured import UnusableMeasurement
from operators.promotion.control_chart import LEARNED_FROM
from operators.promotion.drift import PAGE, STREAM
from operators.promotion.origin import origin_of
from operators.promotion.registry import champion
from operators.runs.rounds import first_round
from operators.runs.run import experiment_name, finish_run
from tests.harness.nights import BOUGHT, Nights, coil, work

KILLED, BAD, DOWN, DRIFTED, RETRAINED = 3, 5, 6, 7, 9
"""The night that is killed after one shard, the morning without a measurement, the night that finds
the cluster gone, the first morning with another sheet, and the night after which one retrains."""
MOVED = 1.0
"""R-values of the coils then, in spreads of the box."""


class ClusterGone(Exception):
    """What a hook raises when nobody answers."""


def gone(cluster: str) -> Any:
    raise ClusterGone(cluster)


@dataclass
class Told:
    """What ten nights and mornings said."""

    nights: dict[int, str]
    mornings: dict[int, DriftReport]
    refused: str
    retraining: GateReport


@pytest.fixture
def nights(bench) -> Nights:
    """Solve the campaign's own round, make a first champion, and watch it for three weeks."""
    nights = Nights.opened(bench)
    nights.night(first_round(nights.handle, bench.connect))
    nights.deliver(coil(nights.campaign, 0))
    assert nights.retrained("first").promoted
    finish_run(nights.handle, mlflow=bench.mlflow)
    for day in range(LEARNED_FROM):
        nights.measured_before(coil(nights.campaign, day))
        assert nights.morning("first-mlp").alarms == ()
    return nights


def artifact(nights: Nights, run_id: str, name: str) -> str:
    return Path(nights.bench.mlflow.client.download_artifacts(run_id, name)).read_text()


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_ten_nights_lose_nothing_and_do_nothing_twice(nights: Nights) -> None:
    told = _ten(nights)
    _nothing_twice(nights)
    as_they_were = "failed in simulate.solve_shards: dataset and champion are as they were"
    assert as_they_were in told.nights[KILLED]
    assert "left unfinished by an earlier night" in told.nights[KILLED + 1]
    client, run_id = nights.bench.mlflow.client, nights.handle.mlflow_run_id
    files = client.list_artifacts(run_id, "night")
    pages = {file.path for file in files if file.path.endswith(".html")}
    assert len(pages) == 1 + 8  # of the first round, and of each that a night began
    assert "coil.h5" in told.refused
    # A morning without a measurement adds nothing to the stream: it has one less
    watched = {day: report.observations for day, report in told.mornings.items()}
    assert watched[BAD + 1] == watched[BAD - 1] + 1 == LEARNED_FROM + BAD
    quiet = [not told.mornings[day].alarms for day in range(1, DRIFTED) if day != BAD]
    assert all(quiet)
    assert any("coil: r_value" in alarm for alarm in told.mornings[DRIFTED].alarms)
    _told_on_pages(nights, told)


def _ten(nights: Nights) -> Told:
    said: dict[int, str] = {}
    mornings: dict[int, DriftReport] = {}
    refused, retraining, model = "", None, "first-mlp"
    for night in range(1, 11):
        alarmed = night > 1 and mornings.get(night - 1) is not None
        aims = "drift" if alarmed and mornings[night - 1].alarms else "campaign"
        if night == DOWN:
            _found_gone(nights)
        else:
            said[night] = _one(nights, night, aims)
        if night == BAD:
            refused = _bad_morning(nights, model)
        else:
            moved = MOVED if night >= DRIFTED else 0.0
            nights.deliver(coil(nights.campaign, 100 + night, moved))
            mornings[night] = nights.morning(model)
        if mornings.get(night) and mornings[night].alarms:
            # What the next night aims at: the answers of that morning's validation
            work(nights.folder, "identify", "--model", model, "--validation", f"v{night}")
        if night == RETRAINED:
            retraining = nights.retrained("anew")
            model = "anew-mlp" if retraining.promoted else model
    assert retraining is not None
    return Told(said, mornings, refused, retraining)


def _one(nights: Nights, night: int, aims: Any) -> str:
    """Let a night pass, and look at what it left; returns its sentence."""
    before, records = nights.shards(), nights.dataset.train
    kept = sha256_of(nights.folder.dataset_manifest)
    planned = nights.plan(aims=aims)
    assert planned.expected_core_hours is not None and planned.budget_core_hours is not None
    assert planned.expected_core_hours <= planned.budget_core_hours * 1.001
    assert planned.resumed == (night == KILLED + 1)
    report = nights.night(planned, killed_after=1 if night == KILLED else None)
    assert before.items() <= nights.shards().items()  # what was there is as it was
    if night == KILLED:
        assert not report.grown and sha256_of(nights.folder.dataset_manifest) == kept
        return report.sentence
    assert report.grown and nights.dataset.train > records
    assert report.core_hours <= planned.budget_core_hours * 1.001
    assert report.design is not None
    aimed = report.design.by_aim.get("posteriors", 0)
    assert aimed == (BOUGHT // 2 if aims == "drift" else 0)
    return report.sentence


def _found_gone(nights: Nights) -> None:
    before = nights.shards(), sha256_of(nights.folder.dataset_manifest)
    with pytest.raises(ClusterGone):
        nights.plan(gone)
    assert (nights.shards(), sha256_of(nights.folder.dataset_manifest)) == before


def _bad_morning(nights: Nights, model: str) -> str:
    """Deliver a file that is no measurement; returns with what words it is refused."""
    nights.deliver(b"the camera's disk was full")
    before = sha256_of(nights.folder.dataset_manifest), champion(
        nights.handle.campaign, nights.bench.mlflow
    )  # fmt: skip
    with pytest.raises(UnusableMeasurement) as refused:
        work(nights.folder, "identify", "--model", model, "--validation", "bad")
    with pytest.raises(UnusableMeasurement):
        nights.morning(model)
    assert not nights.folder.estimates("bad").exists()
    after = sha256_of(nights.folder.dataset_manifest), champion(
        nights.handle.campaign, nights.bench.mlflow
    )  # fmt: skip
    assert after == before
    return str(refused.value)


def _told_on_pages(nights: Nights, told: Told) -> None:
    """The charts' page names the alarm, the gate's its decision; the champion is as it says."""
    bench, handle = nights.bench, nights.handle
    experiment = bench.mlflow.experiment(experiment_name(handle.campaign))
    query = f"tags.`{STREAM}` = '{handle.campaign}'"
    [production] = bench.mlflow.client.search_runs([experiment], query)
    charts = artifact(nights, production.info.run_id, PAGE)
    assert "a targeted round and a retraining are asked for" in charts
    assert told.mornings[10].alarms[0] in charts
    decided = artifact(nights, handle.mlflow_run_id, "gate/anew.json")
    document = DecisionDocument.model_validate_json(decided)
    assert document.champion_before == "1" and document.comparison is not None
    assert document.comparison.sealed.source == handle.run_id  # the very set of the first time
    assert document.decision.promoted == told.retraining.promoted
    assert document.decision.reason in artifact(nights, handle.mlflow_run_id, "gate/anew.html")
    best = champion(handle.campaign, bench.mlflow)
    assert best is not None
    assert best.model == ("anew-mlp" if told.retraining.promoted else "first-mlp")
    assert origin_of(handle.campaign, None, bench.mlflow)[0].run_id == handle.run_id


def _nothing_twice(nights: Nights) -> None:
    """No shard was solved twice, no sheet stands twice in the dataset, and all good ones are."""
    assert len(nights.solved) == len(set(nights.solved)) == len(nights.shards())
    seen, good = set(), 0
    for path in nights.folder.root.glob("rounds/*/shards/*.h5"):
        with h5py.File(path) as file:
            rows = np.hstack([file[ShardFields.PARAMETERS][...], file[ShardFields.SHEET][...]])
            good += int((file[ShardFields.STATUS][...] == 0).sum())
        seen |= {row.tobytes() for row in rows}
    assert len(seen) == 250 + 8 * BOUGHT
    assert nights.dataset.train + nights.dataset.test == good
