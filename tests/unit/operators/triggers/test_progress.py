"""Progress that people see: planned totals, a rate that outages do not spoil, a bounded size."""

import json
from dataclasses import replace

import pytest

from hpc_jobs.job_folder.probes import Scan
from operators.array.operator import HpcArrayJobOperator
from operators.cluster.ledger import Snapshot, by_results
from operators.triggers.progress import PROGRESS, Meter, Throttle, line_of, pace_of


def snapshot(done: int, elements: int, work: tuple[int, int, str] | None = None) -> Snapshot:
    rest = elements - done
    return Snapshot(elements, done, {}, running=rest, pending=0, unknown=0, progress=work)


def test_elements_that_have_not_spoken_are_part_of_the_whole():
    """Never "4200 of 4200 records" with nine elements pending."""
    scan = Scan(done=frozenset(range(6)), progress=(4200, 4200, "records"), speakers=6)
    seen = by_results(15, scan, {})
    assert seen.progress == (4200, 10_500, "records")
    assert "4200 of 10500 records" in seen.line
    progress = Meter(10_300, "records").read(seen, 0.0)
    assert (progress.work_done, progress.work_planned) == (4200, 10_300)


def test_before_anybody_has_spoken_work_is_counted_in_its_own_unit():
    """Never "0 of 790 records" of a training."""
    silent = snapshot(0, 4)
    said = line_of(silent, Meter(790, "epochs").read(silent, 0.0))
    assert "0 of 790 epochs" in said


def test_work_without_a_unit_is_refused():
    with pytest.raises(ValueError, match="'train': give the unit of its work"):
        HpcArrayJobOperator(task_id="t", job="train", run={}, work=790)


def test_rate_and_time_left_are_those_of_the_work():
    meter = Meter()
    first = meter.read(snapshot(0, 10, (0, 1000, "records")), 100.0)
    assert first.rate_per_s is None and first.left_s is None
    later = meter.read(snapshot(2, 10, (200, 1000, "records")), 150.0)
    assert (later.rate_per_s, later.left_s) == (4.0, 200.0)


def test_a_log_says_planned_totals_each_network_by_its_name_and_the_pace():
    meter, named = Meter(100, "epochs"), (("cnn", 3, 40), ("mlp", 12, 60))
    busy = replace(snapshot(0, 2, (15, 100, "epochs")), named=named)
    first, later = meter.read(busy, 0.0), meter.read(replace(busy, progress=(35, 100, "epochs")), 2)
    assert line_of(busy, first) == (
        "0 of 2 elements done, 2 running, 15 of 100 epochs (cnn 3 of 40, mlp 12 of 60)"
    )
    assert pace_of(first) == ""
    assert pace_of(later) == "; 10 epochs per second, 0:00:06 left"


def test_without_reports_elements_are_what_is_counted():
    meter = Meter()
    meter.read(snapshot(0, 10), 0.0)
    later = meter.read(snapshot(5, 10), 10.0)
    assert (later.rate_per_s, later.left_s, later.work_planned) == (0.5, 10.0, 0)


def test_the_time_of_an_outage_does_not_slow_the_rate():
    meter = Meter()
    assert meter.trouble("no route", 0.0) is None
    meter.read(snapshot(0, 10), 0.0)
    away = meter.trouble("no route to host", 10.0)
    assert away is not None and away.trouble == "no route to host" and away.rate_per_s is None
    meter.read(snapshot(1, 10), 1000.0)
    assert meter.read(snapshot(2, 10), 1001.0).rate_per_s == 1.0


def test_nothing_is_left_when_every_element_is_done():
    assert Meter(100, "records").read(snapshot(2, 2, (98, 98, "records")), 1.0).work_done == 100


@pytest.mark.parametrize("elements", [3, 100_000])
def test_its_size_is_bounded(elements):
    busy = Snapshot(
        elements, 1, {}, running=1, pending=elements, unknown=0,
        progress=(10**9, 10**12, "ü" * 500), waits="x" * 5000,
        named=tuple((f"network-{k}", k, 1000) for k in range(500)),
    )  # fmt: skip
    progress = Meter().read(busy, 1e9)
    assert len(json.dumps(progress.model_dump(mode="json")).encode()) < 1024


def test_no_more_is_published_than_a_person_can_see():
    meter, throttle = Meter(), Throttle()
    said = [throttle.lets_through(meter.read(snapshot(n, 100), 1000.0 + n)) for n in range(11)]
    assert said == [n % 5 == 0 for n in range(11)]
    end = meter.read(snapshot(100, 100), 1011.0)
    assert throttle.lets_through(end, last=True)
    assert not throttle.lets_through(end, last=True)


def test_a_worker_leaves_the_progress_of_its_job_with_the_task(cluster, context):
    run = cluster.handle()
    task = HpcArrayJobOperator(
        task_id="t",
        job="solve_shard",
        run=run,
        elements=3,
        work=30,
        unit="records",
        deferrable=True,
    )
    task.execute(context)
    told = context["ti"].pushed[PROGRESS]
    assert (told["elements"], told["done"], told["work_done"], told["work_planned"]) == (
        3, 3, 30, 30,
    )  # fmt: skip
