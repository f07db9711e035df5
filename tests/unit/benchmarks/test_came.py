"""What came back of a series is kept line by line, and summed up."""

from pathlib import Path

import pytest

from benchmarks.trips.came import Came, keep, kept, totals


def _came(seed: int, refused: str = "") -> Came:
    series = ("DP780", "vic_2d", seed)
    if refused:
        return Came.not_answered(series, refused)
    misses, sd = {"r_value_0": 0.01, "stress_ratio_0": -0.002}, {"r_value_0": 0.02}
    sd["stress_ratio_0"] = 0.004
    return Came(*series, misses, sd, {"r_value_0": 0.0, "stress_ratio_0": 0.0}, 1.0, "-", (2, 4))


def test_a_line_that_a_kill_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    keep(_came(1), path)
    keep(_came(2), path)
    path.write_bytes(path.read_bytes()[:-40])
    keep(_came(3), path)
    keep(_came(4), path)
    assert [row.seed for row in kept(path)] == [1, 3, 4]
    assert path.read_bytes().count(b"\n") == 4


def test_a_whole_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    keep(_came(1), path)
    path.write_bytes(path.read_bytes()[:-1])
    keep(_came(2), path)
    assert [row.seed for row in kept(path)] == [1, 2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([_came(1, "too few frames"), _came(2, "no force")], "none of 2 series was answered"),
        ([_came(1), _came(2, "no force")], "1 of 2 series have all values within the goal"),
        ([], "none of 0 series was answered"),
    ],
)
def test_series_that_were_refused_are_counted(rows: list[Came], words: str) -> None:
    assert totals(rows).startswith(words)
