"""The virtual tests of one record, and the layout of what they measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.frozen import Fraction, Millimetres, Positive, Setting, Slug

Output = Literal["thickness", "plastic_strain"]
"""Patch averages at the output times: of the thickness, mm, and the equivalent plastic strain."""

Angle = Annotated[float, Field(ge=0, le=90, description="specimen axis to rolling direction, deg")]


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


class FromYield(Setting):
    """Output times between general yield and a share of the peak force, found for every sheet.

    General yield: where the secant stiffness has fallen to `secant` of the initial stiffness, well
    past the kink of first yield. The last time is where the force reaches `peak_share` of its
    peak, on the rising side; where there is no peak up to end_displacement_mm, of the force there.
    Both are ratios, so that a measured curve has them too, whatever its load cell's gain.
    """

    secant: Annotated[Fraction, Field(gt=0.05, lt=0.95)] = 0.6
    peak_share: Annotated[Fraction, Field(gt=0.5, lt=1)] = 0.97


NUISANCES = {
    "angle_deg": "deg",
    "force_scale": "1",
    "notch_width_mm": "mm",
    "thickness_mm": "mm",
    "displacement_share": "1",
    "patch_along_mm": "mm",
    "patch_across_mm": "mm",
}
"""What is never quite as the drawing says of a specimen and its test, and in which unit."""


class Piece(Setting):
    """How one specimen and its test differ from the drawing: differences, 0 where they do not.

    A load cell that reads 1 % too much has force_scale .01; of a machine that takes 5 % of the end
    displacement for itself displacement_share is .05. The patches may lie off the notch's centre.
    """

    angle_deg: FiniteFloat = 0.0
    force_scale: Annotated[float, Field(gt=-1, allow_inf_nan=False)] = 0.0
    notch_width_mm: FiniteFloat = 0.0
    thickness_mm: FiniteFloat = 0.0
    displacement_share: Annotated[float, Field(lt=1, allow_inf_nan=False)] = 0.0
    patch_along_mm: FiniteFloat = 0.0
    patch_across_mm: FiniteFloat = 0.0
    displacements_mm: Annotated[
        tuple[Positive, ...],
        Field(description="output times of this test, increasing; empty: as the specimens say"),
    ] = ()

    @model_validator(mode="after")
    def _in_time_order(self) -> Self:
        for one, other in pairwise(self.displacements_mm):
            if not one < other:
                raise ValueError(f"displacements_mm has {other:g} after {one:g}; let them increase")
        return self


@dataclass(frozen=True, slots=True)
class TensileTest:
    """One virtual test: what the layouts below call a specimen."""

    geometry: Geometry  # as it is, thickness and notch width included
    angle_deg: float
    label: str  # angle in degrees, after the geometry's name where there are several
    displacements_mm: tuple[float, ...]  # of the output times, by the machine; () if not found yet
    piece: Piece

    @property
    def end_displacement_mm(self) -> float:
        """At the last output time, as the machine counts it."""
        return self.displacements_mm[-1]

    @property
    def drawn_mm(self) -> tuple[float, ...]:
        """What of each displacement the specimen itself takes."""
        if not self.displacements_mm:
            raise BadInput(
                f"the output times of specimen {self.label} have not been found yet; "
                "hpc_jobs.fem.scout.with_output_times finds them for a sheet"
            )
        share = 1 - self.piece.displacement_share
        return tuple(share * displacement for displacement in self.displacements_mm)

    @property
    def force_factor(self) -> float:
        """From the specimen's force to what the load cell reads."""
        return 1 + self.piece.force_scale

    def patches(self, patches: Patches) -> Patches:
        """Return the patches where they lie on this specimen."""
        piece = self.piece
        if not (piece.patch_along_mm or piece.patch_across_mm):
            return patches
        return patches.model_copy(
            update={
                "offset_along_mm": patches.offset_along_mm + piece.patch_along_mm,
                "offset_across_mm": patches.offset_across_mm + piece.patch_across_mm,
            }
        )


class Specimens(Setting):
    """All virtual tests of one record: every geometry at every angle.

    Strains are ln U in specimen axes, laid out [component, specimen, patch, time] with time
    fastest: the x strains fill the first half. Forces are [specimen, time], each of the outputs
    [specimen, patch, time].
    """

    angles_deg: Annotated[tuple[Angle, ...], Field(min_length=1, max_length=8)] = (0.0, 45.0, 90.0)
    geometries: Annotated[tuple[Geometry, ...], Field(min_length=1, max_length=8)] = (Geometry(),)
    mesh: Annotated[
        Mesh,
        BeforeValidator(mesh_level),
        Field(description="a level by its name, or along, across and grading"),
    ] = MESH_LEVELS["production"]
    patches: Patches = Patches()
    output_times: Annotated[int, Field(ge=1, le=200)] = 10
    timing: Annotated[
        FromYield | None,
        Field(description="where the output times lie; if not said, evenly up to the end"),
    ] = None
    outputs: Annotated[
        tuple[Output, ...],
        Field(description="kept beside strains and forces; not measured, so not learned from"),
    ] = ()
    end_displacement_mm: Annotated[
        Positive, Field(description="of the last output time; with `timing`, never exceeded")
    ] = 1.0
    pieces: Annotated[
        tuple[Piece, ...], Field(description="one per test, in their order; empty: as drawn")
    ] = ()
    steps_per_output: Annotated[
        int, Field(ge=1, le=1000, description="load increments between two output times")
    ] = 2
    warm_start: Annotated[
        bool,
        Field(description="start from an isotropic sheet's trajectory; never where records differ"),
    ] = True
    time_limit_s: Annotated[
        float,
        Field(gt=0, le=86_400, description="processor time of one record, then it is given up"),
    ] = 60.0

    @property
    def tests(self) -> tuple[TensileTest, ...]:
        """The specimens in the order of their layout: all angles of the first geometry first."""
        several = len(self.geometries) > 1
        places = [(geometry, angle) for geometry in self.geometries for angle in self.angles_deg]
        return tuple(
            self._test(
                geometry, angle, f"{geometry.name} {angle:g}" if several else f"{angle:g}", piece
            )
            for (geometry, angle), piece in zip(
                places, self.pieces or (Piece(),) * len(places), strict=True
            )
        )

    def _test(self, geometry: Geometry, angle: float, label: str, piece: Piece) -> TensileTest:
        end = geometry.end_displacement_mm or self.end_displacement_mm
        times = 0 if self.timing else self.output_times  # with a timing they must be found
        even = tuple(end * (time + 1) / self.output_times for time in range(times))
        if piece.notch_width_mm or piece.thickness_mm:
            geometry = geometry.model_copy(
                update={
                    "notch_width_mm": geometry.notch_width_mm + piece.notch_width_mm,
                    "thickness_mm": geometry.thickness_mm + piece.thickness_mm,
                }
            )
        return TensileTest(
            geometry, angle + piece.angle_deg, label, piece.displacements_mm or even, piece
        )

    @property
    def displacements_mm(self) -> tuple[tuple[float, ...], ...]:
        """[specimen, time]: of the output times, as the machine counts them; () if not found."""
        return tuple(test.displacements_mm for test in self.tests)

    @property
    def is_timed(self) -> bool:
        """Whether the output times are known: always, but with a `timing`, see fem.scout."""
        return all(test.displacements_mm for test in self.tests)

    @property
    def told_displacements(self) -> tuple[str, ...]:
        """Names of what says where a record's own output times lie: of each test first and last.

        Empty without a `timing`: all records have the same.
        """
        if self.timing is None:
            return ()
        labels = [test.label.replace(" ", "-") for test in self.tests]
        ends = ("first", "last")
        return tuple(f"{end}_displacement_mm@{label}" for label in labels for end in ends)

    @property
    def strain_shape(self) -> tuple[int, int, int, int]:
        """[component, specimen, patch, time]."""
        return (2, *self.force_shape[:1], self.patches.count, self.output_times)

    @property
    def force_shape(self) -> tuple[int, int]:
        """[specimen, time]."""
        return (len(self.geometries) * len(self.angles_deg), self.output_times)

    @property
    def strain_values(self) -> int:
        """Length of a flattened strain record; 1080 by default."""
        components, specimens, patches, times = self.strain_shape
        return components * specimens * patches * times

    @property
    def output_values(self) -> int:
        """Length of each flattened output; 540 by default."""
        return self.strain_values // 2

    @property
    def force_values(self) -> int:
        """Length of a flattened force record; 30 by default."""
        specimens, times = self.force_shape
        return specimens * times

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.angles_deg)) != len(self.angles_deg):
            raise ValueError(f"angles_deg {self.angles_deg} repeats an angle; name each one once")
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"outputs {self.outputs} repeat a name; name each one once")
        names = [geometry.name for geometry in self.geometries]
        if len(set(names)) != len(names):
            raise ValueError(f"geometries have the names {', '.join(names)}; give each one its own")
        return self

    @model_validator(mode="after")
    def _pieces_are_tests(self) -> Self:
        count = len(self.geometries) * len(self.angles_deg)
        if self.pieces and len(self.pieces) != count:
            raise ValueError(f"pieces has {len(self.pieces)} entries; give one per test, {count}")
        for index, piece in enumerate(self.pieces):
            if len(piece.displacements_mm) not in (0, self.output_times):
                raise ValueError(
                    f"pieces.{index}.displacements_mm has {len(piece.displacements_mm)} values; "
                    f"give output_times of them, {self.output_times}, or none"
                )
        return self

    @model_validator(mode="after")
    def _patches_on_the_sheet(self) -> Self:
        patches = self.patches
        for index, geometry in enumerate(self.geometries):
            for region, size, edge, limit in (
                ("width", patches.region_width_mm, "notch_width_mm", geometry.notch_width_mm),
                ("length", patches.region_length_mm, "length_mm", geometry.length_mm),
            ):
                if size > limit:
                    raise ValueError(
                        f"patches.region_{region}_mm is {size}, larger than "
                        f"geometries.{index}.{edge}, {limit}, of '{geometry.name}'; make the "
                        "region smaller"
                    )
            for direction, size, offset, whole in (
                ("across", patches.region_width_mm, patches.offset_across_mm, geometry.width_mm),
                ("along", patches.region_length_mm, patches.offset_along_mm, geometry.length_mm),
            ):
                if abs(offset) + size / 2 > whole / 2:
                    raise ValueError(
                        f"patches.offset_{direction}_mm is {offset:g}, which moves the region off "
                        f"the sheet of '{geometry.name}'; give "
                        f"{(whole - size) / 2:g} or less"
                    )
        return self
