"""The virtual tests of one record, and the layout of what they measure."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.frozen import Fraction, Positive, Setting
from hpc_jobs.contract.geometry import MESH_LEVELS, Geometry, Mesh, Patches, mesh_level

Output = Literal["thickness", "plastic_strain"]
"""Patch averages at the output times: of the thickness, mm, and the equivalent plastic strain."""

Angle = Annotated[float, Field(ge=0, le=90, description="specimen axis to rolling direction, deg")]


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
