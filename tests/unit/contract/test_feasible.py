"""Hopeless campaigns are known by their numbers, each with key, value and remedy."""

from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.feasible import expected_core_hours, fewest_calibration_records, hopeless
from hpc_jobs.contract.loading import load

CAMPAIGNS = Path(__file__).parents[3] / "dags" / "campaigns"


def demo(**changes) -> Campaign:
    return load(Campaign, CAMPAIGNS / "single_sheet.yaml", changes)


@pytest.mark.parametrize("name", sorted(file.name for file in CAMPAIGNS.glob("*.yaml")))
def test_there_is_hope_for_every_campaign_that_we_ship(name):
    assert list(hopeless(load(Campaign, CAMPAIGNS / name))) == []


@pytest.mark.parametrize(
    ("changes", "key", "value", "remedy"),
    [
        ({"design": {"train_records": 8}}, "design.train_records", "8", "180 records or more"),
        ({"design": {"train_records": 100}}, "validation_fraction", "0.1", "larger fraction"),
        (
            {"execution": {"resources": {"train": {"nodes": 64}}}, "training": {"batch_size": 32}},
            "training.batch_size",
            "32",
            "fewer processes",
        ),
        (
            {"execution": {"budget_core_hours": 1e-4}},
            "execution.budget_core_hours",
            "0.0001",
            "fewer records",
        ),
        (
            {
                "specimens": {
                    "mesh": {"along": 400, "across": 200, "grading": 0.35},
                    "steps_per_output": 1000,
                },
                "execution": {"resources": {"solve_shard": {"walltime_s": 60}}},
            },
            "solve_shard.walltime_s",
            "60",
            "coarser specimens.mesh",
        ),
        (
            {"execution": {"resources": {"train": {"walltime_s": 1}}}},
            "resources.train.walltime_s",
            "1",
            "give 10 s or more",
        ),
        (
            {"execution": {"resources": {"solve_shard": {"memory_mib": 8}}}},
            "resources.solve_shard.memory_mib",
            "8",
            "give 64 or more",
        ),
    ],
)
def test_what_cannot_end_well_is_said_with_key_value_and_remedy(changes, key, value, remedy):
    lines = [line for line in hopeless(demo(**changes)) if key in line]
    assert lines and value in lines[0] and remedy in lines[0]


def test_more_components_than_records():
    networks = [{"kind": "mlp", "components": 48}]
    campaign = demo(
        design={"train_records": 40}, training={"networks": networks, "validation_fraction": 0.5}
    )
    assert [line for line in hopeless(campaign) if "take 40 or fewer" in line]


def test_the_fewest_records_are_those_that_the_calibration_itself_wants():
    from hpc_jobs.contract.errors import ConfigurationError
    from hpc_jobs.learning.models.calibration import require_records

    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        fewest = fewest_calibration_records(level)
        require_records(fewest, level)
        with pytest.raises(ConfigurationError):
            require_records(fewest - 1, level)


def test_the_remedy_is_enough():
    assert not list(hopeless(demo(design={"train_records": 180})))


def test_the_estimate_is_that_of_the_measured_rates():
    """docs/mesh-convergence.md: 107 records/s on the production mesh with one step."""
    campaign = demo(design={"train_records": 9000, "test_records": 1000})
    assert expected_core_hours(campaign) * 3600 == pytest.approx(10_000 / 107, rel=0.2)


def test_a_measurement_named_twice_would_be_written_twice():
    with pytest.raises(ConfigurationError, match=r"repeats a measurement; name each one once"):
        demo(validation={"measurements": ["dp780", "dp780"]})
