"""The loop's goals: a median that is lower by luck alone is not said to be."""

import numpy as np
import pytest

from benchmarks.deciding.active import ADDED, WAYS, judge

SHEETS = 25


def said(capsys: pytest.CaptureFixture[str], targeted: float) -> list[str]:
    random = np.random.default_rng(3)
    ways = {
        way: {added: random.lognormal(0, 0.3, SHEETS).tolist() for added in ADDED} for way in WAYS
    }
    ways["targeted"][60] = (targeted * random.lognormal(0, 0.3, SHEETS)).tolist()
    judge(ways)
    return capsys.readouterr().out.splitlines()


def test_half_the_distance_is_surely_less_and_a_twentieth_off_is_not(capsys):
    median, ratio = said(capsys, 0.5)
    assert median.endswith(": met") and ratio.endswith(": met")
    assert said(capsys, 0.98)[1].endswith(": NOT met")
