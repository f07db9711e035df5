"""The arithmetic behind what the inference benchmark says of busy devices and quick runtimes."""

import numpy as np
import pytest
import torch

from benchmarks.serving.busy import Stopwatch, covered
from benchmarks.serving.rates import batch_of, take_turns


@pytest.mark.parametrize(
    ("intervals", "length"),
    [
        ([], 0),
        ([(3, 5)], 2),
        ([(0, 1), (2, 4)], 3),
        ([(2, 4), (0, 3)], 4),  # overlapping, out of order
        ([(0, 9), (1, 2), (8, 10)], 10),  # one within another
    ],
)
def test_time_in_which_something_runs_is_counted_once(intervals, length):
    assert covered(np.array(intervals, float).reshape(-1, 2)) == length


def test_a_stopwatch_sees_the_operators_between_its_first_and_last_epoch():
    watch, matrix = Stopwatch(torch.device("cpu")), torch.randn(200, 200)
    watch.progress(1, 3, "epochs")
    for _ in range(50):
        matrix = torch.tanh(matrix @ matrix)
    watch.progress(2, 3, "epochs")
    watch.progress(3, 3, "epochs")
    assert 0 < watch.busy_s < watch.wall_s


def test_runtimes_take_turns_at_every_batch_size():
    asked = []

    def predict(values):
        asked.append(len(values))
        return values

    inputs = (np.arange(6, dtype=np.float32).reshape(3, 2),)
    found = take_turns({"one": predict, "two": predict}, inputs, (1, 4), rounds=2, seconds=0)
    assert set(found) == {"one", "two"} and set(found["one"]) == {1, 4} == set(asked)
    assert all(b["records_per_s"] > 0 and b["p50_ms"] <= b["p99_ms"] for b in found["two"].values())
    assert batch_of(inputs, 4)[0][3].tolist() == [0, 1]
