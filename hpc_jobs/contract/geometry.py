"""A strip's shape, the mesh that it is solved on, and the patches in which strains are measured."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpc_jobs.contract.frozen import Millimetres, Positive, Setting, Slug


class Geometry(Setting):
    """A strip, straight or with a symmetric notch; x runs along it from its centre.

    With the notch's length l and its depth d, half of width minus notch width, the half-width for
    |x| < l/2 is, elsewhere w/2:
    cosine  w/2 - d/2 (1 + cos(2 pi x/l)), a waist without a corner;
    arc     w/2 - d + R - sqrt(R^2 - x^2) of the radius R = l^2/(8 d) + d/2.
    """

    name: Annotated[Slug, Field(description="tells several geometries of a record apart")] = "strip"
    shape: Literal["cosine", "arc", "straight"] = "cosine"
    length_mm: Millimetres = 60.0
    width_mm: Millimetres = 20.0
    notch_width_mm: Annotated[Millimetres, Field(description="smallest width, at the centre")] = (
        10.0
    )
    notch_length_mm: Millimetres = 30.0
    thickness_mm: Millimetres = 1.0
    end_displacement_mm: Annotated[
        Positive | None, Field(description="of its tests, if not specimens.end_displacement_mm")
    ] = None

    @property
    def notch_depth_mm(self) -> float:
        """How far each edge is cut in."""
        return (self.width_mm - self.notch_width_mm) / 2

    @property
    def notch_radius_mm(self) -> float:
        """Radius of the arc that has the notch's length and depth."""
        return self.notch_length_mm**2 / (8 * self.notch_depth_mm) + self.notch_depth_mm / 2

    @model_validator(mode="before")
    @classmethod
    def _straight_by_itself(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("shape") != "straight":
            return given
        sizes = {name: given.get(name, cls.model_fields[name].default) for name in _STRAIGHT}
        return {_STRAIGHT[name]: size for name, size in sizes.items()} | dict(given)

    @model_validator(mode="after")
    def _notch_fits(self) -> Self:
        for whole, notch in _STRAIGHT.items():
            size, limit = getattr(self, notch), getattr(self, whole)
            if self.shape == "straight" and size != limit:
                raise ValueError(
                    f"{notch} is {size}, but a straight strip has no notch; leave it out, or "
                    "choose shape cosine or arc"
                )
            if size > limit:
                raise ValueError(
                    f"{notch} is {size}, larger than the strip's {whole}, {limit}; make the notch "
                    "the smaller one"
                )
        if self.shape == "arc" and not 0 < self.notch_depth_mm <= self.notch_length_mm / 2:
            raise ValueError(
                f"notch_length_mm is {self.notch_length_mm}, but an arc that cuts "
                f"{self.notch_depth_mm:g} mm deep is at least {2 * self.notch_depth_mm:g} mm long "
                "and deeper than 0; make it longer, or choose shape straight"
            )
        return self


SMALLEST_DRAW = 2e-4
"""End displacement over notch length: steels yield at some .002."""
LARGEST_DRAW = {"cosine": 0.5, "arc": 0.5, "straight": 1.0}
"""Likewise, by shape: no metal's notch stretches by half before it necks."""
_STRAIGHT = {"width_mm": "notch_width_mm", "length_mm": "notch_length_mm"}


class Mesh(Setting):
    """Structured quadrilaterals, elements along and across the strip."""

    level: Annotated[Slug, Field(description="what records call this mesh")] = "explicit"
    along: Annotated[int, Field(ge=4, le=400, multiple_of=2)]
    across: Annotated[int, Field(ge=2, le=200, multiple_of=2)]
    grading: Annotated[
        float,
        Field(gt=0, le=1, description="element length at the centre over the mean length along"),
    ] = 0.3

    @property
    def elements(self) -> int:
        """Number of elements of one specimen."""
        return self.along * self.across


MESH_LEVELS = {
    mesh.level: mesh
    for mesh in (
        Mesh(level="coarse", along=24, across=12, grading=0.35),
        Mesh(level="production", along=48, across=20, grading=0.35),
        Mesh(level="fine", along=64, across=32, grading=0.35),
    )
}
"""Meshes that campaigns name; docs/mesh-convergence.md says what each costs in accuracy."""


def mesh_level(given: Any) -> Any:
    """Replace the name of a level by its mesh; raises ValueError for an unknown one."""
    if not isinstance(given, str):
        return given
    if given not in MESH_LEVELS:
        raise ValueError(
            f"'{given}' is no mesh level; choose {', '.join(MESH_LEVELS)}, or describe a mesh in "
            "specimens.mesh by along, across and grading"
        )
    return MESH_LEVELS[given]


class Patches(Setting):
    """Measurement patches: a grid of equal physical rectangles centred on the notch.

    Numbered across the strip first, then along it.
    """

    along: Annotated[int, Field(ge=1, le=50)] = 6
    across: Annotated[int, Field(ge=1, le=50)] = 3
    region_length_mm: Millimetres = 12.0
    region_width_mm: Millimetres = 9.0
    offset_along_mm: FiniteFloat = 0.0
    offset_across_mm: FiniteFloat = 0.0

    @property
    def count(self) -> int:
        """Number of patches of one specimen."""
        return self.along * self.across
