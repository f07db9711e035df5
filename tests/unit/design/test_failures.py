"""Where simulations fail: counted by thirds of the box, whatever the number of records."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import publish_model
from hpc_jobs.design.failures import failures_by_third
from hpc_jobs.design.mechanical import axes, places_of
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.backends import rehearsal
from hpc_jobs.fem.record import failed
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from tests.harness.shipped_code import CHECKOUT

SMALL = {
    "solver": "rehearsal",
    "specimens": {"mesh": "coarse"},
    "design": {"train_records": 250, "test_records": 50, "records_per_shard": 150},
}


@pytest.fixture
def campaign() -> Campaign:
    return load(Campaign, CHECKOUT / "dags" / "campaigns" / "single_sheet.yaml", SMALL)


def solved(folder: Path, campaign: Campaign) -> RunFolder[Path]:
    """Solve all shards of a run's first round."""
    run = RunFolder(folder)
    frozen = FrozenCampaign(run_id="small", campaign=campaign, code_sha256="ab" * 32)
    publish_model(run.campaign, frozen)
    choose_round(run, campaign, 0, None)
    points, size = read_round(run, 0), campaign.design.records_per_shard
    names = ("parameters", "sheet", "is_test", "point", "level", "weight")
    for index in range(campaign.design.shards(len(points.point))):
        rows = slice(size * index, size * (index + 1))
        own = {name: getattr(points, name)[rows] for name in names}
        solve_shard(run, frozen, Assignment(round=0, index=index, **own), lambda done, total: None)
    return run


def test_failures_are_counted_where_they_lie(tmp_path, campaign, monkeypatch):
    axis, real = axes(campaign).index("r_value_90"), rehearsal.simulate

    def necks_at_large_r90(parameters, material, specimens):
        [place] = places_of(campaign, np.asarray(parameters, float)[None])
        if place[axis] > 2 / 3:
            return failed("necked", "too thin", specimens)
        return real(parameters, material, specimens)

    monkeypatch.setattr(rehearsal, "simulate", necks_at_large_r90)
    run = solved(tmp_path, campaign)
    found = failures_by_third(run, campaign)
    assert tuple(found) == axes(campaign)
    assert found["r_value_90"]["middle"] <= 2 and found["r_value_90"]["high"] > 60
    assert found["r_value_0"]["low"] > 10 and found["r_value_0"]["high"] > 10, "no matter there"
    assert len({sum(thirds.values()) for thirds in found.values()}) == 1, "each is of all failures"


def test_where_nothing_failed_there_is_nothing_to_say(tmp_path, campaign, monkeypatch):
    monkeypatch.setattr(rehearsal, "FAILING", 1 << 40)
    assert failures_by_third(solved(tmp_path, campaign), campaign) == {}
