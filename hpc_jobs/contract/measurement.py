"""A measurement: what the inverse validation starts from, virtual or from a real test bench.

measurements/<name>.h5 holds the header below as JSON in the root attribute `header`, the dataset
`strains` (Specimens.strain_values,) and, where forces were measured, `forces`
(Specimens.force_values,) in N; both are laid out like a record. What else a camera knows lies
beside them (MeasurementFields): which patches were seen, the noise of each value and its
correlation, and the end displacements that the times stand for.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import Noise

Quantity = Literal[
    "stress_ratio_45",
    "stress_ratio_90",
    "stress_ratio_biaxial",
    "r_value_0",
    "r_value_45",
    "r_value_90",
    "r_value_biaxial",
]
"""What a materials engineer calls the anisotropy; stresses relative to the rolling direction."""


class MeasurementFields:
    """Names inside a measurement file, and inside the file of a re-simulated field."""

    HEADER = "header"  # attribute of the root: MeasurementHeader as JSON
    STRAINS = "strains"  # (strain_values,) float64
    FORCES = "forces"  # (force_values,) float64, N; absent where no force was measured
    MASK = "mask"  # [specimen, patch, time] uint8, 1 where measured; absent: all are
    DISPLACEMENTS = "displacements"  # [specimen, time] mm between the ends; absent: the campaign's
    STRAIN_DEVIATION = "strain_deviation"  # (strain_values,) float64; absent: header.noise.strain
    NOISE_CORRELATION = "noise_correlation"  # (2 patches, 2 patches), [component, patch]; absent: 1


class Curves(Frozen):
    """r(theta) and sigma(theta)/sigma(0), theta from the rolling direction."""

    angles_deg: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
    r_value: tuple[FiniteFloat, ...]
    stress_ratio: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        lengths = len(self.angles_deg), len(self.r_value), len(self.stress_ratio)
        if len(set(lengths)) != 1:
            raise ValueError(f"the curves have {lengths} values; give as many of each")
        return self


class Truth(Frozen):
    """What is known of the material by other means: all of it for a virtual experiment."""

    quantities: Annotated[dict[Quantity, FiniteFloat], Field(min_length=1)]
    parameters: Annotated[
        dict[str, FiniteFloat] | None, Field(description="of the yield function, by name")
    ] = None
    curves: Curves | None = None


class Measured(Frozen):
    """A value that was measured, and its standard deviation in the same unit."""

    value: FiniteFloat
    sd: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class AsBuilt(Frozen):
    """What a specimen turned out to be; nothing where nobody measured it.

    Forces are those of the nominal thickness: they were divided by thickness over nominal.
    """

    notch_width_mm: Measured | None = None
    width_mm: Measured | None = None
    thickness_mm: Measured | None = None
    angle_deg: Annotated[
        Measured | None, Field(description="cut at, from the rolling direction")
    ] = None
    travel_share: Annotated[
        Measured | None,
        Field(description="strains stand for this share of the end displacement; 1 as simulated"),
    ] = None


class MeasurementHeader(Frozen):
    """Everything about a measurement but its numbers."""

    schema_version: Literal[1] = 1
    name: Slug
    source: Annotated[
        str, Field(min_length=1, max_length=2000, description="where the numbers come from")
    ]
    material: Annotated[
        Material, Field(description="elasticity, hardening and exponent, known from plain tests")
    ]
    specimens: Annotated[
        Specimens, Field(description="mesh: the virtual experiment's; says nothing of a real one")
    ]
    noise: Annotated[Noise, Field(description="of this measurement, one standard deviation")]
    truth: Truth | None = None
    as_built: Annotated[
        dict[str, AsBuilt], Field(description="specimen's label -> what it turned out to be")
    ] = {}
    notes: Annotated[
        tuple[str, ...], Field(description="what the import found and did, a sentence each")
    ] = ()

    @model_validator(mode="after")
    def _as_built_specimens_exist(self) -> Self:
        labels = [test.label for test in self.specimens.tests]
        for label in self.as_built:
            if label not in labels:
                raise ValueError(
                    f"as_built names specimen '{label}'; the specimens are {', '.join(labels)}"
                )
        return self
