"""The order: every record once an epoch, and nothing but (seed, epoch, step) decides it."""

import numpy as np
import pytest
import torch

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


def grown(order: Order, epoch: int = 0) -> np.ndarray:
    """Records in the order in which an epoch serves them."""
    dealt = order.epoch(epoch)
    return np.concatenate([dealt.rows(step) for step in range(order.steps)])


PARTS = (30_000, 2_500, 14_000, 700, 20_000)
WINDOWS = {"block": 128, "blocks_per_window": 32}


def test_of_parts_every_record_is_served_once_an_epoch_and_blocks_stay_within_them():
    order = Order(sum(PARTS), 256, seed=3, parts=PARTS, **WINDOWS)
    served = grown(order, 4)
    np.testing.assert_array_equal(np.sort(served), np.arange(sum(PARTS)))
    ends = np.cumsum(PARTS)
    for part in order.blocks:
        assert all(np.ptp(np.searchsorted(ends, [b.start, b.stop - 1], "right")) == 0 for b in part)
    for number in range(order.epoch(4).windows):
        window = order.epoch(4).window(number)
        assert len(window.records) <= order.largest_window
        shares = np.bincount(np.searchsorted(ends, window.records, "right"), minlength=len(PARTS))
        wanted = len(window.records) * np.array(PARTS) / sum(PARTS)
        assert np.abs(shares - wanted).max() < 2
    assert Order(100, 10, seed=3, parts=(100,)).epoch(1).rows(2).tolist() == (
        Order(100, 10, seed=3).epoch(1).rows(2).tolist()
    )


def test_parts_that_are_not_all_records_are_refused():
    with pytest.raises(ValueError, match="parts of"):
        Order(10, 5, seed=0, parts=(4, 5))


def test_batches_of_a_grown_data_set_are_as_mixed_as_those_of_a_global_permutation():
    """Rounds differ as much as targeted ones do: by a standard deviation of a parameter."""
    rng = np.random.default_rng(5)
    parameter = np.concatenate([rng.normal(k - 2, 1, size) for k, size in enumerate(PARTS)])
    count = len(parameter)
    order = Order(count, 256, seed=1, parts=PARTS, **WINDOWS)

    def batch_means(served):
        return np.array(
            [parameter[served[slice(*order.bounds(step))]].mean() for step in range(order.steps)]
        )

    def spread_and_echo(means):
        away = means - means.mean()
        echo = [(away[lag:] * away[:-lag]).mean() / away.var() for lag in range(1, 17)]
        return means.std(), np.abs(echo).max()

    mixed = np.array([spread_and_echo(batch_means(grown(order, epoch))) for epoch in range(8)])
    ideal = np.array([spread_and_echo(batch_means(rng.permutation(count))) for _ in range(8)])
    in_turn = spread_and_echo(batch_means(np.arange(count)))
    assert mixed[:, 0].mean() < 1.1 * ideal[:, 0].mean() < 0.3 * in_turn[0]
    assert mixed[:, 1].mean() < 1.25 * ideal[:, 1].mean() < 0.5 * in_turn[1]


def test_a_grown_data_set_trains_as_well_in_as_many_steps():
    rng = np.random.default_rng(6)
    sizes = (6_000, 1_500, 4_500)
    inputs = np.concatenate([rng.normal(k - 1, 1, (size, 4)) for k, size in enumerate(sizes)])
    truth = np.tanh(inputs @ rng.normal(size=(4, 2))) + 0.1 * inputs[:, :2]
    x, y = (torch.from_numpy(one.astype(np.float32)) for one in (inputs, truth))
    told = {"batch_size": 64, "seed": 2, "block": 64, "blocks_per_window": 8}
    shuffled = rng.permutation(len(x))

    def error_after(order, rows):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(4, 32), torch.nn.SiLU(), torch.nn.Linear(32, 2)
        )
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for epoch in range(3):
            dealt = order.epoch(epoch)
            for step in range(order.steps):
                chosen = rows[dealt.rows(step)]
                loss = (network(x[chosen]) - y[chosen]).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            return float((network(x) - y).square().mean())

    as_one = error_after(Order(len(x), **told), shuffled)
    as_grown = error_after(Order(len(x), parts=sizes, **told), np.arange(len(x)))
    assert as_grown < 1.1 * as_one
