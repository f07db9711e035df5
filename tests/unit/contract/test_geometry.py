"""Geometries and meshes: what is refused and why, and what a level means."""

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.geometry import MESH_LEVELS, Geometry
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.specimen import Specimens

ARC = {"name": "arc", "shape": "arc", "notch_width_mm": 12, "notch_length_mm": 14}


@pytest.mark.parametrize(
    ("specimens", "words"),
    [
        ({"geometries": [ARC | {"notch_length_mm": 70}]}, ["notch_length_mm is 70", "60", "small"]),
        ({"geometries": [ARC | {"notch_length_mm": 7}]}, ["is 7.0", "4 mm deep", "8 mm long"]),
        ({"geometries": [ARC | {"notch_width_mm": 20}]}, ["0 mm deep", "shape straight"]),
        (
            {"geometries": [{"shape": "straight", "notch_width_mm": 9}]},
            ["geometries.0", "notch_width_mm is 9", "leave it out"],
        ),
        ({"geometries": [{"shape": "round"}]}, ["geometries.0.shape is 'round'", "'arc'"]),
        ({"mesh": "finest"}, ["mesh: 'finest'", "coarse, production, fine", "along, across"]),
        ({"mesh": {"along": 23, "across": 8}}, ["mesh.along is 23", "multiple of 2"]),
        ({"mesh": {"along": 24}}, ["mesh.across", "add it"]),
    ],
)
def test_a_shape_or_mesh_that_cannot_be_is_refused(specimens, words):
    with pytest.raises(ConfigurationError) as refusal:
        parse(Specimens, specimens, source="specimens")
    for word in words:
        assert word in str(refusal.value)


def test_a_straight_strip_needs_no_notch():
    strip = Geometry(shape="straight", length_mm=25, width_mm=12.5)
    assert strip.notch_depth_mm == 0
    assert Geometry.model_validate_json(strip.model_dump_json()) == strip


def test_a_level_is_frozen_with_its_numbers(campaigns):
    overrides = {"specimens": {"mesh": "production"}, "design": {"mesh_shares": {"fine": 0.02}}}
    campaign = load(Campaign, campaigns / "single_sheet.yaml", overrides)
    assert campaign.specimens.mesh == MESH_LEVELS["production"]
    assert '"level":"production","along":' in campaign.model_dump_json()
    assert Campaign.model_validate_json(campaign.model_dump_json()) == campaign
    assert [level.mesh.level for level in campaign.levels] == ["production", "fine"]
    assert campaign.levels[1].patches == campaign.specimens.patches


def test_an_explicit_mesh_says_so(campaigns):
    overrides = {"specimens": {"mesh": {"along": 30, "across": 10}}}
    campaign = load(Campaign, campaigns / "hlrs.yaml", overrides)
    assert campaign.levels[0].mesh.level == "explicit"
    assert campaign.levels[0].mesh.elements == 300


def test_finer_levels_have_more_elements():
    assert list(MESH_LEVELS) == ["coarse", "production", "fine"]
    elements = [mesh.elements for mesh in MESH_LEVELS.values()]
    assert elements == sorted(elements)
