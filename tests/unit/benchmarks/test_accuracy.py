"""The accuracy benchmark's parts: training from records, kept results, goals met and missed."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.methods import trained
from benchmarks.methods.accuracy_page import draw_curves, page
from benchmarks.methods.goals import goals_of
from benchmarks.methods.kept import ResultCache
from benchmarks.methods.protocols import ALONE, FORCES, MEAN
from benchmarks.methods.records import Records
from benchmarks.methods.scores import score
from benchmarks.methods.setting import measure
from benchmarks.methods.trained import Pace
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load


def linear_records(campaign: Campaign, count: int, seed: int) -> Records:
    """Strains and forces that are linear in the parameters."""
    rng, targets = np.random.default_rng(seed), len(campaign.targets)
    specimens = campaign.specimens
    law = np.random.default_rng(0).normal(size=(targets, specimens.strain_values)) / 100
    parameters = rng.uniform(0, 1, (count, targets))
    forces = 8000 * np.exp(0.1 * parameters[:, :1] * np.ones(specimens.force_values))
    strains = (0.1 + parameters @ law).astype(np.float32)
    return Records(parameters, strains, forces.astype(np.float32), Counter(ok=count))


@pytest.mark.parametrize("forces", [False, True])
def test_a_network_learns_from_records(monkeypatch: pytest.MonkeyPatch, forces: bool) -> None:
    campaign = load(Campaign, Path("dags/campaigns/single_sheet.yaml"))
    monkeypatch.setattr(trained, "PACES", {"mlp": (Pace(0, 30, 16),)})
    train, test = linear_records(campaign, 200, 1), linear_records(campaign, 50, 2)
    noise = campaign.noise.strain, campaign.noise.force_relative
    asked = measure(test, noise, forces=forces)
    limits = (np.zeros(8), np.ones(8))
    found = trained.answer(campaign, train, limits, noise, "MLP", asked)
    assert score(found, test.parameters)["error"] < 0.1 * 8e3 / 12  # of the mean's


def test_results_are_kept_by_what_they_depend_on(tmp_path: Path) -> None:
    kept, made = ResultCache(tmp_path), Counter[int]()

    def get(records: int) -> object:
        def make() -> dict[str, int]:
            made[records] += 1
            return {"error": records}

        return kept.get({"records": records}, make)["error"]

    assert [get(3), get(4), get(3)] == [3, 4, 3]
    assert made == {3: 1, 4: 1}


def scored(error: float, r2: float) -> dict[str, object]:
    return {
        "error": error,
        "standard_error": 0.1,
        "median": error / 2,
        "p95": 3 * error,
        "r2": [r2] * 8,
        "coverage": [0.9] * 7 + [0.95],
    }


def test_goals_are_judged_and_printed_met_or_not(tmp_path: Path) -> None:
    floor = {"error": 1.0, "r2": [0.99] * 7 + [0.9]}
    view = {
        "curves": {"200": {MEAN: scored(1.9, 0.96)}, "1000": {MEAN: scored(1.05, 0.99)}},
        "floor": floor,
        "cramer_rao": floor,
    }
    worse = view | {"curves": {"200": {MEAN: scored(4, 0.9)}, "1000": {MEAN: scored(2, 0.99)}}}
    found = {
        "records": 1000,
        "test": 50,
        "campaign": "c0ffee",
        "noise": (5e-4, 5e-3),
        "B": {"sha256": {"train": "7ea", "test": "7e5"}, "views": {FORCES: view, ALONE: worse}},
    }
    goals = {goal.claim: goal.met for goal in goals_of(found)}
    assert [met for claim, met in goals.items() if "over the floor" in claim] == [True, False]
    assert [met for claim, met in goals.items() if "7 well identified" in claim] == [True, False]
    assert [met for claim, met in goals.items() if ", most" in claim] == [False, False]
    text = page(found)
    assert f"**{sum(goals.values())} of {len(goals)} goals are met.**" in text
    assert text.count("| NO |") == len(goals) - sum(goals.values()) and "`7ea`" in text
    draw_curves(tmp_path / "curves.png", found)
    assert (tmp_path / "curves.png").stat().st_size > 10_000
