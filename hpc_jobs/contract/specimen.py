"""The virtual tensile tests of one record, and the layout of what they measure."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.base import Frozen, Positive

Angle = Annotated[float, Field(ge=0, le=90, description="specimen axis to rolling direction, deg")]


class Geometry(Frozen):
    """A strip with a cosine-shaped waist: half-width w/2 - d (1 + cos(2 pi x / l)) for |x| < l/2.

    d is a quarter of width minus notch width; x runs along the strip from its centre.
    """

    length_mm: Positive = 60.0
    width_mm: Positive = 20.0
    notch_width_mm: Annotated[Positive, Field(description="smallest width, at the centre")] = 10.0
    notch_length_mm: Positive = 30.0
    thickness_mm: Positive = 1.0

    @model_validator(mode="after")
    def _notch_fits(self) -> Self:
        if self.notch_width_mm > self.width_mm:
            raise ValueError(
                f"notch_width_mm is {self.notch_width_mm}, wider than the strip "
                f"(width_mm {self.width_mm}); make the notch the narrower one"
            )
        if self.notch_length_mm > self.length_mm:
            raise ValueError(
                f"notch_length_mm is {self.notch_length_mm}, longer than the strip "
                f"(length_mm {self.length_mm}); make the notch the shorter one"
            )
        return self


class Mesh(Frozen):
    """Structured quadrilaterals, elements along and across the strip."""

    along: Annotated[int, Field(ge=4, le=400, multiple_of=2)] = 24
    across: Annotated[int, Field(ge=2, le=200, multiple_of=2)] = 12
    grading: Annotated[
        float,
        Field(gt=0, le=1, description="element length at the centre over the mean length along"),
    ] = 0.3

    @property
    def elements(self) -> int:
        """Number of elements of one specimen."""
        return self.along * self.across


class Patches(Frozen):
    """Measurement patches: a grid of equal physical rectangles centred on the notch.

    Numbered across the strip first, then along it.
    """

    along: Annotated[int, Field(ge=1, le=50)] = 6
    across: Annotated[int, Field(ge=1, le=50)] = 3
    region_length_mm: Positive = 12.0
    region_width_mm: Positive = 9.0

    @property
    def count(self) -> int:
        """Number of patches of one specimen."""
        return self.along * self.across


class Specimens(Frozen):
    """All virtual tests of one record.

    Strains are ln U in specimen axes, laid out [component, specimen, patch, time] with time
    fastest: the x strains fill the first half. Forces are [specimen, time].
    """

    angles_deg: Annotated[tuple[Angle, ...], Field(min_length=1, max_length=8)] = (0.0, 45.0, 90.0)
    geometry: Geometry = Geometry()
    mesh: Mesh = Mesh()
    patches: Patches = Patches()
    output_times: Annotated[int, Field(ge=1, le=200)] = 10
    end_displacement_mm: Positive = 1.0
    steps_per_output: Annotated[
        int, Field(ge=1, le=1000, description="load increments between two output times")
    ] = 2
    time_limit_s: Annotated[
        Positive, Field(description="processor time of one record, after which it is given up")
    ] = 60.0

    @property
    def strain_shape(self) -> tuple[int, int, int, int]:
        """[component, specimen, patch, time]."""
        return (2, len(self.angles_deg), self.patches.count, self.output_times)

    @property
    def strain_values(self) -> int:
        """Length of a flattened strain record; 1080 by default."""
        components, specimens, patches, times = self.strain_shape
        return components * specimens * patches * times

    @property
    def force_values(self) -> int:
        """Length of a flattened force record; 30 by default."""
        return len(self.angles_deg) * self.output_times

    @model_validator(mode="after")
    def _patches_on_the_sheet(self) -> Self:
        if len(set(self.angles_deg)) != len(self.angles_deg):
            raise ValueError(f"angles_deg {self.angles_deg} repeats an angle; name each one once")
        if self.patches.region_width_mm > self.geometry.notch_width_mm:
            raise ValueError(
                f"patches.region_width_mm is {self.patches.region_width_mm}, wider than the notch "
                f"(geometry.notch_width_mm {self.geometry.notch_width_mm}); make it narrower"
            )
        if self.patches.region_length_mm > self.geometry.length_mm:
            raise ValueError(
                f"patches.region_length_mm is {self.patches.region_length_mm}, longer than the "
                f"strip (geometry.length_mm {self.geometry.length_mm}); make it shorter"
            )
        return self
