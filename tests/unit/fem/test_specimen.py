"""Mesh, patches, band solver and the assembled tangent."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh, Patches
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.reference.banded import factorise, substitute
from hpc_jobs.fem.reference.element import assemble
from hpc_jobs.fem.reference.point import STATE
from hpc_jobs.fem.specimen.discretised import discretise
from hpc_jobs.fem.specimen.mesh import (
    gradients_and_areas,
    half_width,
    notched_strip,
    shape_functions,
)
from hpc_jobs.fem.specimen.patches import patch_weights

Sheet = tuple[np.ndarray, Material]


def test_the_notch_is_where_it_should_be() -> None:
    mesh = notched_strip(Geometry(), Mesh(along=16, across=8, grading=0.3))
    columns = mesh.nodes.reshape(17, 9, 2)
    assert columns[8, -1] == pytest.approx((0.0, 5.0))
    assert columns[[0, -1], -1] == pytest.approx(np.array([(-30.0, 10.0), (30.0, 10.0)]))
    lengths = np.diff(columns[:, 0, 0])
    assert lengths[8] < 0.4 * lengths.mean() < lengths[0]


@pytest.mark.parametrize(("depth", "length"), [(5.0, 10.0), (5.0, 14.0), (1.0, 14.0)])
def test_an_arc_is_a_circle_through_both_corners(depth: float, length: float) -> None:
    strip = Geometry(shape="arc", notch_width_mm=20 - 2 * depth, notch_length_mm=length)
    x = np.linspace(-length / 2, length / 2, 41)
    y = half_width(strip, x)
    assert y[[0, 20, 40]] == pytest.approx([10.0, 10 - depth, 10.0])
    centre = 10 - depth + strip.notch_radius_mm
    assert np.hypot(x, y - centre) == pytest.approx(np.full(41, strip.notch_radius_mm))
    assert half_width(strip, np.array([-20.0, 29.0])) == pytest.approx([10.0, 10.0])


def test_a_straight_strip_is_a_rectangle() -> None:
    strip = Geometry(shape="straight", length_mm=40, width_mm=12.5)
    _, areas = gradients_and_areas(notched_strip(strip, Mesh(along=8, across=4)))
    assert half_width(strip, np.linspace(-20, 20, 9)) == pytest.approx(np.full(9, 6.25))
    assert areas.sum() == pytest.approx(40 * 12.5)


def test_area_of_the_notched_strip() -> None:
    fine = notched_strip(Geometry(), Mesh(along=200, across=10, grading=1.0))
    _, areas = gradients_and_areas(fine)
    assert areas.sum() == pytest.approx(60 * 20 - 2 * 2.5 * 30, rel=1e-4)


@pytest.mark.parametrize("mesh", [Mesh(along=16, across=8), Mesh(along=30, across=6, grading=0.3)])
def test_patches_average_a_linear_field_exactly(mesh: Mesh) -> None:
    strip, patches = notched_strip(Geometry(), mesh), Patches()
    weights = patch_weights(strip, patches)
    points, _ = shape_functions(np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / np.sqrt(3))
    x, y = np.einsum("qa,ead->deq", points, strip.nodes[strip.elements]).reshape(2, -1)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    centres_x = np.repeat((np.arange(6) - 2.5) * 2.0, 3)
    centres_y = np.tile((np.arange(3) - 1) * 3.0, 6)
    assert weights @ x == pytest.approx(centres_x, abs=1e-9)
    assert weights @ y == pytest.approx(centres_y, abs=1e-9)


def test_band_solver_solves() -> None:
    generator = np.random.default_rng(1)
    size, width = 40, 7
    matrix = np.zeros((size, size))
    band = np.zeros((size, width))
    for i in range(size):
        for j in range(i, min(i + width, size)):
            matrix[i, j] = matrix[j, i] = generator.normal() + (10 if i == j else 0)
            band[i, j - i] = matrix[i, j]
    matrix[3, 3] = band[3, 0] = -9.0  # indefinite, as past a limit point
    load = generator.normal(size=size)
    solution = load.copy()
    assert factorise(band)
    substitute(band, solution)
    assert matrix @ solution == pytest.approx(load, abs=1e-10)


def test_band_solver_refuses_a_singular_matrix() -> None:
    assert not factorise(np.zeros((4, 2)))


@pytest.mark.parametrize("angle_deg", [0.0, 30.0])
def test_assembled_tangent_against_finite_differences(dp780: Sheet, angle_deg: float) -> None:
    """At large plastic strain with rotation, from a plastically strained state."""
    sheet, material = Yld2000(dp780[0], 6), dp780[1]
    specimens = Specimens(mesh=Mesh(along=4, across=2))
    model = discretise(specimens.geometries[0], specimens.mesh, specimens.patches)
    law = hardening_array(material.hardening)
    twice = 2 * np.deg2rad(angle_deg)
    elastic = np.array([2e5, 0.33, np.cos(twice), np.sin(twice)])
    elements, unknowns = len(model.dofs), len(model.ends)
    state, after = np.zeros((elements, 4, STATE)), np.zeros((elements, 4, STATE))
    strains = np.zeros((elements, 4, 2))

    def assembled(displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        band, forces = np.zeros((model.free, model.band_width)), np.zeros(unknowns)
        status = assemble(
            sheet.coefficients, law, elastic, model.gradients, model.volumes,
            model.dofs, displacement, state, model.first, band, forces, after, strains,
        )  # fmt: skip
        assert status == 0
        return band, forces[model.first : model.first + model.free]

    nodes = notched_strip(specimens.geometries[0], specimens.mesh).nodes
    generator = np.random.default_rng(0)
    stretched = nodes @ np.array([[0.05, 0.02], [-0.01, -0.02]])
    displacement = stretched.ravel()
    assembled(displacement)
    state[:] = after
    displacement = 1.4 * displacement + 0.01 * generator.normal(size=unknowns)
    band, _ = assembled(displacement)
    dense = np.zeros((model.free, model.free))
    for i in range(model.free):
        last = min(model.band_width, model.free - i)
        dense[i, i : i + last] = dense[i : i + last, i] = band[i, :last]
    numeric = np.empty_like(dense)
    for j in range(model.free):
        moved = np.zeros(unknowns)
        moved[model.first + j] = 1e-5
        forward, backward = assembled(displacement + moved)[1], assembled(displacement - moved)[1]
        numeric[:, j] = (forward - backward) / 2e-5
    assert np.abs(numeric - dense).max() < 2e-6 * np.abs(dense).max()
