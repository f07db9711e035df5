"""Control charts: quiet where nothing changes, loud soon after something does; nothing twice."""

from datetime import UTC, datetime, timedelta

import numpy as np

from hpc_jobs.contract.drift import Stream
from hpc_jobs.contract.validation import Judgement, Limits, Verdict
from operators.promotion.control_chart import LEARNED_FROM, chart, charts_of
from operators.promotion.drift import charts_svg, extended, page, report_on, watch

START = datetime(2026, 11, 1, 6, tzinfo=UTC)


def first_alarm(seed: int, shift: float, days: int = 60) -> int | None:
    """Day after the limits were learned on which a chart of a shifted series first alarms."""
    drawn = 1 + 0.1 * np.random.default_rng(seed).standard_normal(LEARNED_FROM + days)
    drawn[LEARNED_FROM:] += 0.1 * shift
    at = [str(day) for day in range(len(drawn))]
    for day in range(1, days + 1):
        count = LEARNED_FROM + day
        if chart("coil", "residual", at[:count], drawn[:count].tolist()).alarm:
            return day
    return None


def test_a_shift_is_met_within_days_and_no_change_hardly_ever():
    quiet = [first_alarm(seed, 0.0) for seed in range(40)]
    assert sum(day is not None for day in quiet) <= 5
    found = [first_alarm(seed, 2.5) for seed in range(40)]
    assert all(day is not None for day in found)
    assert np.median([day or 99 for day in found]) <= 6


def test_before_there_are_limits_nothing_alarms():
    wild = chart("coil", "residual", ["0", "1", "2"], [1.0, 9.0, 100.0])
    assert wild.alarm == "" and wild.low == ()


def test_a_sudden_jump_and_a_constant_series():
    values = [1.0] * (LEARNED_FROM + 5)
    at = [str(i) for i in range(len(values) + 1)]
    assert chart("coil", "r_value_0", at[:-1], values).alarm == ""
    assert "1.5" in chart("coil", "r_value_0", at, [*values, 1.5]).alarm


def verdict(day: int, r_value: float, *, outside: bool = False) -> Verdict:
    judged = Judgement(
        verdict="outside" if outside else "answered",
        quantities={"r_value_0": (None if outside else r_value, None)},
        intervals={} if outside else {"r_value_0": (r_value - 0.03, r_value + 0.03)},
        errors={} if outside else {"strain_rms": 1.0},
        novelty=3.0 if outside else 0.5,
        novelty_limit=1.0,
    )
    return Verdict(
        validation=f"v{day}",
        model="mlp",
        limits=Limits(),
        measurements={"coil": judged},
        passed=not outside,
    )


def stream_of(values: list[float]) -> Stream:
    stream = Stream(campaign="demo")
    for day, value in enumerate(values):
        stream = extended(stream, verdict(day, value), START + timedelta(days=day))
    return stream


def test_a_coil_that_drifts_is_named_and_one_that_is_unlike_all_too():
    random = np.random.default_rng(2)
    steady = (0.8 + 0.01 * random.standard_normal(LEARNED_FROM + 8)).tolist()
    assert report_on(stream_of(steady)).alarms == ()
    drifted = report_on(stream_of([*steady, 0.85, 0.86, 0.86]))
    assert any("coil: r_value_0" in alarm for alarm in drifted.alarms)
    assert "targeted round" in drifted.sentence
    strange = extended(stream_of(steady), verdict(99, 0.8, outside=True), START)
    assert "unlike all" in report_on(strange).sentence
    drawn = page(report_on(strange), charts_of(strange))
    assert drawn.count("data:image/svg+xml") == 1 and "unlike all" in drawn
    picture = charts_svg("coil", charts_of(strange))
    assert all(one.value in picture for one in charts_of(strange))


def test_a_validation_counts_once_however_often_its_task_is_tried(bench):
    name = f"c{abs(hash(str(bench.home))) % 10**9}"
    for day in range(3):
        report = watch(name, verdict(day, 0.8), bench.mlflow, START + timedelta(days=day))
    again = watch(name, verdict(2, 0.8), bench.mlflow, START + timedelta(days=9))
    assert report.observations == again.observations == 3
    assert again.alarms == ()
    assert "unlike all" in watch(name, verdict(3, 0.8, outside=True), bench.mlflow).sentence
