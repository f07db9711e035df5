"""Specimens: what is refused and why, mixtures of meshes, and in which order tests come."""

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.geometry import Geometry
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.specimen import Specimens

ARC = {"name": "arc", "shape": "arc", "notch_width_mm": 12, "notch_length_mm": 14}


@pytest.mark.parametrize(
    ("specimens", "words"),
    [
        ({"geometries": [ARC, ARC]}, ["arc, arc", "its own"]),
        ({"geometries": []}, ["geometries", "at least 1"]),
        (
            {"geometries": [ARC, {"notch_width_mm": 8}]},
            ["region_width_mm is 9.0", "geometries.1.notch_width_mm, 8.0", "smaller"],
        ),
        (
            {"geometries": [{"length_mm": 10, "notch_length_mm": 9}]},
            ["region_length_mm is 12.0", "geometries.0.length_mm, 10.0", "smaller"],
        ),
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
