"""The report of what an experiment will tell: what it orders, and what it refuses."""

from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.loading import load
from hpc_jobs.identification.experiment import given_exactly, medians, sensitivities
from hpc_jobs.tools.design_report import known_values, main, report, variants

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    coarse = {"along": 8, "across": 4}
    changes: dict[str, object] = {"specimens": {"mesh": coarse, "output_times": 4}}
    return load(Campaign, ROOT / "benchmarks" / "family.yaml", changes)


def test_less_noise_and_more_knowledge_never_hurt(campaign: Campaign) -> None:
    found, known = sensitivities(campaign, 1), given_exactly(campaign)
    here = medians(found.deviations(known))
    finer = medians(found.deviations(known, strain_noise=0.5))
    without = medians(found.deviations({}))
    assert here.keys() == finer.keys() >= {"r_value_45", "exponent", "k(0.05)"}
    for name, deviation in here.items():
        assert finer[name] <= deviation * (1 + 1e-9)
        assert without[name] >= deviation * (1 - 1e-9)
    assert without["stress_ratio_biaxial"] > 1.5 * here["stress_ratio_biaxial"]  # exponent


def test_every_other_experiment_is_a_valid_campaign(campaign: Campaign) -> None:
    from hpc_jobs.identification.experiment import changed

    for name, other in variants(campaign).items():
        assert changed(campaign, other).specimens != campaign.specimens, name


def test_the_report_fits_a_terminal_and_has_every_experiment(campaign: Campaign) -> None:
    lines = report(campaign, 1, {}).splitlines()
    assert max(map(len, lines)) <= 80
    for name in variants(campaign):
        assert sum(line.startswith(f"{name} ") for line in lines) >= 2, name
    assert any("k(.05)%" in line for line in lines)


def test_held_output_times_tell_nearly_the_same(campaign: Campaign) -> None:
    known = given_exactly(campaign)
    own = medians(sensitivities(campaign, 1).deviations(known))
    held = medians(sensitivities(campaign, 1, same_times=True).deviations(known))
    # Directions and hardening alike; of a yield stress the moment of yield tells, which each sheet
    # has at its own displacement: times that are held see it worse
    for name, within in {"r_value_0": 0.15, "r_value_45": 0.05, "k(0.05)": 0.12}.items():
        assert held[name] == pytest.approx(own[name], rel=within), name
    assert 1 < held["stress_ratio_45"] / own["stress_ratio_45"] < 1.35


@pytest.mark.parametrize(
    ("given", "said"),
    [("exponent", "a number"), ("sigma=1", "no coordinate"), ("exponent=-1", "0 or more")],
)
def test_what_is_said_to_be_known_is_checked(campaign: Campaign, given: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        known_values([given], campaign)


def test_what_is_known_is_said_once(campaign: Campaign) -> None:
    with pytest.raises(BadInput, match="--known: exponent is given twice"):
        known_values(["exponent=1", "exponent=0"], campaign)


def test_a_campaign_of_one_sheet_has_nothing_to_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="one material and no nuisances"):
        main([str(ROOT / "dags" / "campaigns" / "single_sheet.yaml")])
