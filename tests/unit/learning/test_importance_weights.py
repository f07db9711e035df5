"""Importance weights: served with their records by every source, and counted in the loss."""

import numpy as np
import pytest
import torch

from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.feed.device import DeviceSource
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.feed.ram import RamSource
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.feed.stream import StreamSource
from hpc_jobs.learning.training.trainer import Objective
from tests.unit.learning.records import fill_round

SOURCES = (DeviceSource, RamSource, StreamSource)


def weigh(parameters):
    """Weights that a record's own first target betrays."""
    return 0.5 + 5 * (parameters[:, 0] - 0.9)


def served(run, kind, *, weighted):
    dataset = open_dataset(run, 0.2)
    order = Order(records=len(dataset.fit_rows), batch_size=16, seed=3, parts=dataset.fit_parts)
    scaler, cpu = dataset.facts.scaler, torch.device("cpu")
    with kind(Records(dataset.train, order, scaler, cpu, 16, weighted=weighted)) as source:
        return scaler, list(source.batches(0))


@pytest.mark.parametrize("kind", SOURCES)
def test_every_record_comes_with_its_own_weight(run, campaign, kind):
    fill_round(run, campaign, 1, seed=5, test=0, train=100, weigh=weigh)  # beside an even round
    publish_dataset(run, campaign)
    scaler, batches = served(run, kind, weighted=True)
    targets = torch.cat([batch.targets for batch in batches]).double().numpy()
    weights = torch.cat([batch.weights for batch in batches]).double().numpy()[:, 0]
    first = scaler.low[0] + targets[:, 0] * (scaler.high[0] - scaler.low[0])
    own = np.isclose(weights, weigh(first[:, None]), atol=1e-5)
    assert (own | (weights == 1)).all()
    assert 50 < own.sum() < 100 and (weights == 1).sum() > 150
    assert all(batch.weights is None for batch in served(run, kind, weighted=False)[1])


class Answers(torch.nn.Module):
    """A network whose answers are given."""

    def __init__(self, gaussian):
        super().__init__()
        self.gaussian = gaussian

    def forward(self, components):
        return components[:, :2]

    def moments(self, components):
        return components[:, :2], components[:, 2:]


@pytest.mark.parametrize("gaussian", [False, True])
def test_a_record_of_weight_two_counts_as_two(gaussian):
    objective = Objective(Answers(gaussian))
    components, targets = torch.randn(4, 4), torch.randn(4, 2)
    twice = torch.tensor([0, 1, 1, 3])
    repeated, _ = objective(components[twice], targets[twice])
    weights = torch.tensor([[1.0], [2.0], [0.0], [1.0]])
    weighted, squared = objective(components, targets, weights)
    assert weighted == pytest.approx(float(repeated), rel=1e-6)
    assert squared == objective(components, targets)[1]  # what is reported is not weighted
