"""A measurement: what the inverse validation starts from, virtual or from a real test bench.

measurements/<name>.h5 holds the header below as JSON in the root attribute `header`, the dataset
`strains` (Specimens.strain_values,) and, where forces were measured, `forces`
(Specimens.force_values,) in N; both are laid out like a record. What else a camera knows lies
beside them (MeasurementFields): which patches were seen, the noise of each value and its
correlation.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpc_jobs.contract.frozen import Frozen, Positive, Slug
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

QUANTITY_LABELS: dict[Quantity, str] = {
    "stress_ratio_45": "σ45 / σ0",
    "stress_ratio_90": "σ90 / σ0",
    "stress_ratio_biaxial": "σb / σ0",
    "r_value_0": "r0",
    "r_value_45": "r45",
    "r_value_90": "r90",
    "r_value_biaxial": "rb",
}
"""As figures, tables and pages write them."""


class MeasurementFields:
    """Names inside a measurement file, and inside the file of a re-simulated field."""

    HEADER = "header"  # attribute of the root: MeasurementHeader as JSON
    STRAINS = "strains"  # (strain_values,) float64
    FORCES = "forces"  # (force_values,) float64, N; absent where no force was measured
    MASK = "mask"  # [specimen, patch, time] uint8, 1 where measured; absent: all are
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
    material: Annotated[
        Material | None, Field(description="but for its yield function, where the truth has one")
    ] = None
    coordinates: Annotated[
        dict[str, FiniteFloat], Field(description="of the family (contract.family), by name")
    ] = {}


Known = tuple[FiniteFloat, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
"""What is known of a coordinate by other means: its value and one standard deviation."""


class MeasurementHeader(Frozen):
    """Everything about a measurement but its numbers."""

    schema_version: Literal[1] = 1
    name: Slug
    source: Annotated[
        str, Field(min_length=1, max_length=2000, description="where the numbers come from")
    ]
    material: Annotated[
        Material | None,
        Field(
            description="elasticity, hardening and exponent, known from plain tests; none where a "
            "family's campaign identifies them or `knowledge` tells them"
        ),
    ] = None
    knowledge: Annotated[
        dict[str, Known],
        Field(
            description="coordinate of the campaign's family (contract.family) -> value and "
            "standard deviation; of what is not named nothing is known but the campaign's range, "
            "of a nuisance its nominal value and the campaign's standard deviation"
        ),
    ] = {}
    specimens: Annotated[
        Specimens, Field(description="mesh: the virtual experiment's; says nothing of a real one")
    ]
    noise: Annotated[Noise, Field(description="of this measurement, one standard deviation")]
    truth: Truth | None = None
    extensometer_mm: Annotated[
        dict[str, Positive],
        Field(
            description="specimen's label -> half the distance of two lines of the field by which "
            "the ends' displacements were told, as an isotropic sheet of the material would have it"
        ),
    ] = {}
    noise_shared: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="share of the variance of strains that all times of a patch have alike: "
            "the unloaded pictures' own noise",
        ),
    ] = 0.0
    notes: Annotated[
        tuple[str, ...], Field(description="what the import found and did, a sentence each")
    ] = ()
