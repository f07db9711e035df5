"""The loop's goals: a median that is lower by luck alone is not said to be."""

import numpy as np
import pytest

from benchmarks.deciding.active import ADDED, COUNTED, WAYS, judge

SHEETS = 25


def said(capsys: pytest.CaptureFixture[str], targeted: float) -> list[str]:
    random = np.random.default_rng(3)

    def distances(way: str) -> list[float]:
        drawn = random.lognormal(0, 0.3, len(ADDED))
        return np.where(way == "targeted", targeted * drawn, drawn).tolist()

    judge([{by: {way: distances(way) for way in WAYS} for by in COUNTED} for _ in range(SHEETS)])
    return capsys.readouterr().out.splitlines()


def test_half_the_distance_is_surely_less_and_a_twentieth_off_is_not(capsys):
    sure = said(capsys, 0.5)
    assert len(sure) == 2 * len(COUNTED) and all(line.endswith(": met") for line in sure)
    assert all(line.endswith(": NOT met") for line in said(capsys, 0.98)[1::2])
