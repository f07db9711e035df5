"""Geometries, meshes and patches: what is refused and why, and in which order specimens come."""

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.specimen import MESH_LEVELS, Geometry, Specimens

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
        ({"geometries": [ARC, ARC]}, ["arc, arc", "its own"]),
        ({"geometries": [{"shape": "round"}]}, ["geometries.0.shape is 'round'", "'arc'"]),
        ({"geometries": []}, ["geometries", "at least 1"]),
        (
            {"geometries": [ARC, {"notch_width_mm": 8}]},
            ["region_width_mm is 9.0", "geometries.1.notch_width_mm, 8.0", "smaller"],
        ),
        (
            {"geometries": [{"length_mm": 10, "notch_length_mm": 9}]},
            ["region_length_mm is 12.0", "geometries.0.length_mm, 10.0", "smaller"],
        ),
        ({"mesh": "finest"}, ["mesh: 'finest'", "coarse, production, fine", "along, across"]),
        ({"mesh": {"along": 23, "across": 8}}, ["mesh.along is 23", "multiple of 2"]),
        ({"mesh": {"along": 24}}, ["mesh.across", "add it"]),
        ({"outputs": ["stress"]}, ["outputs.0 is 'stress'", "'thickness'"]),
        ({"outputs": ["thickness", "thickness"]}, ["outputs", "once"]),
        ({"angles_deg": [0, 45, 0]}, ["(0.0, 45.0, 0.0)", "once"]),
    ],
)
def test_what_cannot_be_tested_is_refused(specimens, words):
    with pytest.raises(ConfigurationError) as refusal:
        parse(Specimens, specimens, source="specimens")
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"design": {"mesh_shares": {"best": 0.1}}}, ["design: mesh_shares", "'best'", "fine"]),
        ({"design": {"mesh_shares": {"fine": 0}}}, ["mesh_shares.fine is 0", "greater than 0"]),
        (
            {"design": {"mesh_shares": {"fine": 0.5, "coarse": 0.5}}},
            ["'fine': 0.5", "nothing to specimens.mesh", "below 1"],
        ),
        (
            {"specimens": {"mesh": "fine"}, "design": {"mesh_shares": {"fine": 0.5}}},
            ["mesh_shares names 'fine'", "remove it"],
        ),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(campaigns, overrides, words):
    with pytest.raises(ConfigurationError) as refusal:
        load(Campaign, campaigns / "single_sheet.yaml", overrides)
    for word in words:
        assert word in str(refusal.value)


def test_specimens_are_every_geometry_at_every_angle():
    specimens = Specimens(angles_deg=(0, 90), geometries=(Geometry(), Geometry(**ARC)))
    assert [test.label for test in specimens.tests] == ["strip 0", "strip 90", "arc 0", "arc 90"]
    assert [test.geometry.shape for test in specimens.tests] == ["cosine"] * 2 + ["arc"] * 2
    assert specimens.strain_shape == (2, 4, 18, 10)
    assert specimens.force_shape == (4, 10)
    assert [test.label for test in Specimens().tests] == ["0", "45", "90"]


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
