"""The rehearsal's campaign is one, and what Airflow keeps of a run is counted by run."""

import json
import sqlite3
from pathlib import Path

import pytest

from benchmarks.rehearsal import HLRS, Rehearsed, comparison, main, settings
from benchmarks.rehearsed.kept import RowsKept, kept_of
from benchmarks.rehearsed.stand import MODEST, campaign_document
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.feasible import hopeless
from hpc_jobs.contract.loading import merge, nested, parse
from hpc_jobs.contract.times import RunTimes


def test_the_campaign_is_valid_and_small_enough_for_the_tests_slurm() -> None:
    document = campaign_document(HLRS)
    for setting in settings(60_000, 24)[2:]:
        key, _, value = setting.partition("=")
        document = merge(document, nested(key, int(value)))
    campaign = parse(Campaign, document, source="rehearsal.yaml")
    assert campaign.provenance == "rehearsal"
    assert not list(hopeless(campaign))
    for asked in campaign.execution.resources.values():
        assert asked.memory_mib <= MODEST["memory_mib"] and asked.gpus == 0


def test_records_are_dealt_to_as_many_elements_as_asked() -> None:
    train, test, shard = (int(one.partition("=")[2]) for one in settings(60_000, 24))
    assert train + test == 60_000
    assert -(-60_000 // shard) == 24


def test_rows_and_xcoms_of_one_run_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "airflow.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE xcom (run_id TEXT, value TEXT)")
        database.execute("CREATE TABLE task_instance (run_id TEXT, state TEXT)")
        database.execute("CREATE TABLE slot_pool (pool TEXT)")
        rows = [("one", "12345"), ("one", None), ("two", "x" * 900)]
        database.executemany("INSERT INTO xcom VALUES (?, ?)", rows)
        database.execute("INSERT INTO task_instance VALUES ('one', 'success')")
    assert kept_of(path, "one") == RowsKept(rows=3, bytes=8 + 3 + 10, xcoms=2, xcom_bytes=8 + 3)


@pytest.mark.parametrize(("grown", "verdict"), [(4000, "): met"), (5000, "): NOT MET")])
def test_what_was_kept_of_campaigns_is_compared(grown: int, verdict: str) -> None:
    times = RunTimes(tasks=(), whole=100, between=5)
    small = Rehearsed(10_000, 10, 100.0, RowsKept(50, 9000, 20, 800), times, "a rehearsal")
    large = Rehearsed(90_000, 343, 900.0, RowsKept(50, 9000 + grown, 20, 800), times, "a rehearsal")
    again = [Rehearsed.of(json.loads(json.dumps(one.told()))) for one in (small, large)]
    assert again == [small, large]
    told = comparison(*again)
    assert f"difference +{grown:,} bytes, of XComs +0" in told and verdict in told


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="at least 10,000 records"):
        main(["--records", "500"])
