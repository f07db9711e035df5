"""The order: every record once an epoch, and nothing but (seed, epoch, step) decides it."""

import numpy as np
import pytest

from hpc_jobs.learning.feed.order import Order, Share

ORDERS = {
    "one window": Order(records=1000, batch_size=64, seed=3),
    "many windows": Order(records=1003, batch_size=64, seed=3, block=16, blocks_per_window=5),
    "batches as large as a window": Order(1003, 90, seed=3, block=16, blocks_per_window=1),
    "one batch": Order(records=10, batch_size=64, seed=3),
}


@pytest.fixture(params=ORDERS, ids=lambda name: name.replace(" ", "-"))
def order(request):
    return ORDERS[request.param]


def test_every_record_once_an_epoch_in_batches_of_nearly_equal_size(order):
    epoch = order.epoch(2)
    batches = [epoch.rows(step) for step in range(order.steps)]
    assert sorted(np.concatenate(batches)) == list(range(order.records))
    sizes = [len(rows) for rows in batches]
    assert max(sizes) <= order.batch_size and max(sizes) - min(sizes) <= 1


def test_a_batch_can_be_asked_for_alone(order):
    """A resumed training begins anywhere: no state is carried from step to step."""
    whole = order.epoch(5)
    before = [whole.rows(step) for step in range(order.steps)]
    for step in reversed(range(order.steps)):
        np.testing.assert_array_equal(order.epoch(5).rows(step), before[step])


@pytest.mark.parametrize("world", [2, 3, 7])
def test_the_ranks_share_a_batch_without_changing_it(order, world):
    epoch = order.epoch(0)
    for step in range(order.steps):
        parts = [order.epoch(0).rows(step, Share(rank, world)) for rank in range(world)]
        np.testing.assert_array_equal(np.concatenate(parts), epoch.rows(step))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_another_epoch_or_seed_is_another_order(order):
    first = order.epoch(0).rows(0)
    other = Order(order.records, order.batch_size, 4, order.block, order.blocks_per_window)
    assert not np.array_equal(first, order.epoch(1).rows(0))
    assert not np.array_equal(first, other.epoch(0).rows(0))


def test_one_window_is_a_whole_shuffle_many_stay_within_their_window():
    rows = np.concatenate([ORDERS["one window"].epoch(0).rows(step) for step in range(16)])
    assert abs(np.corrcoef(rows, np.arange(1000))[0, 1]) < 0.1
    epoch = ORDERS["many windows"].epoch(0)
    for number in range(epoch.windows):
        window = epoch.window(number)
        assert window.stop - window.start <= 80
        assert sorted(window.records) == sorted(row for block in window.blocks for row in block)
    assert sorted(epoch.window(0).shuffle) == list(range(80))
