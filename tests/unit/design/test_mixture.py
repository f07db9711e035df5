"""Rounds that aim: where points lie, that they are apart, and that weights undo the shift."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import Targeting
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.design.mechanical import places_of
from hpc_jobs.design.mixture import APART, EVEN, Cloud, draw_mixture
from hpc_jobs.design.rounds import Targets, choose_round, read_round

DEMO = Path(__file__).parents[3] / "dags" / "campaigns" / "single_sheet.yaml"
CENTRE = np.array([0.5, 0.5, 0.4, 0.3, 0.5, 0.4, 0.5])


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    source = DEMO if DEMO.exists() else DEMO.with_name("demo.yaml")
    design = {"train_records": 60, "test_records": 20, "records_per_shard": 25}
    design |= {"later_rounds": {"posteriors": 0.4, "skip_within": 0.3, "audit_share": 0.2}}
    return load(Campaign, source, {"design": design})


def cloud(width: float = 0.08, centre: np.ndarray = CENTRE, *, beyond: bool = False) -> Cloud:
    covariance = width**2 * np.eye(len(centre))
    return Cloud("posteriors", centre[None], np.ones(1), covariance[None], beyond)


def test_a_share_lies_around_the_sheet_and_no_two_points_say_the_same(campaign):
    mixed = draw_mixture(campaign, 0, 200, [cloud()], [1, 2])
    assert mixed.aims == (EVEN, "posteriors")
    assert np.bincount(mixed.aim).tolist() == [120, 80]
    near = places_of(campaign, mixed.parameters[mixed.aim == 1])
    away = np.sqrt((((near - CENTRE) / 0.08) ** 2).sum(1))
    assert np.median(away) < 4 and ((near >= 0) & (near <= 1)).all()
    apart = np.sqrt((((near[:, None] - near) / 0.08) ** 2).sum(-1))
    assert apart[~np.eye(80, dtype=bool)].min() >= APART
    again = draw_mixture(campaign, 0, 200, [cloud()], [1, 2])
    np.testing.assert_array_equal(mixed.parameters, again.parameters)


def test_weighted_a_round_is_as_if_drawn_evenly(campaign):
    mixed = draw_mixture(campaign, 0, 3000, [cloud(0.15)], [1, 2])
    even = places_of(campaign, draw_mixture(campaign, 5000, 3000, [], [3]).parameters)
    places = places_of(campaign, mixed.parameters)
    share = mixed.weight / mixed.weight.sum()
    shifted = np.abs(places.mean(0) - even.mean(0)).max()
    undone = np.abs(share @ places - even.mean(0)).max()
    assert undone < 0.02 and undone < 0.5 * shifted
    assert mixed.weight.mean() == pytest.approx(1, abs=0.05)
    assert mixed.weight.max() <= 1 / 0.6 + 1e-9  # never above one over the share that fills space


def test_what_is_known_is_skipped_but_for_an_audit_and_weights_know(campaign):
    def known(places):
        return places[:, 3] < 0.5

    mixed = draw_mixture(campaign, 0, 2000, [], [1, 2], known)
    places = places_of(campaign, mixed.parameters)
    audited = known(places)
    np.testing.assert_array_equal(mixed.audited, audited)
    assert 0 < audited.sum() < 0.3 * 2000 and mixed.skipped > 500
    even = places_of(campaign, draw_mixture(campaign, 9000, 2000, [], [3]).parameters)
    share = mixed.weight / mixed.weight.sum()
    assert share[audited].sum() == pytest.approx(known(even).mean(), abs=0.04)


def test_where_all_is_known_a_round_still_has_its_records(campaign):
    mixed = draw_mixture(campaign, 0, 50, [], [1], lambda places: np.ones(len(places), bool))
    assert len(mixed.parameters) == 50 and mixed.audited.all()


def test_a_sheet_outside_the_box_is_approached_and_weighs_nothing(campaign):
    centre = CENTRE.copy()
    centre[0] = -0.15
    within = draw_mixture(campaign, 0, 100, [cloud(0.04, centre)], [1])
    assert np.bincount(within.aim).tolist() == [100]  # its share fills the box
    beyond = draw_mixture(campaign, 0, 100, [cloud(0.04, centre, beyond=True)], [1])
    assert np.bincount(beyond.aim).tolist() == [60, 40]
    assert (beyond.weight[beyond.aim == 1] == 0).mean() > 0.9


def test_a_round_says_what_it_aimed_at_and_continues_the_sequence(campaign, tmp_path):
    run = RunFolder(tmp_path)
    choose_round(run, campaign, 0, None)
    note = {"edges": "no record has failed"}
    targets = Targets(clouds=(cloud(),), notes=note)
    facts = choose_round(run, campaign, 1, 50, lambda: targets).facts
    assert facts["by_aim"] == {EVEN: 30, "posteriors": 20} and facts["notes"] == note
    first, second = read_round(run, 0), read_round(run, 1)
    assert second.sobol_start == first.sobol_stop
    assert (first.weight == 1).all() and first.aims == (EVEN,)
    assert second.aims == (EVEN, "posteriors") and second.weight.max() > second.weight.min()
    third = choose_round(run, campaign, 2, 10, lambda: Targets()).facts
    assert third["by_aim"] == {EVEN: 10}
    assert read_round(run, 2).sobol_start == second.sobol_stop


def test_a_round_that_only_aims_is_refused():
    with pytest.raises(ValidationError, match="leave 10% of a round"):
        Targeting(posteriors=0.6, edges=0.3)
