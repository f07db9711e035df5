"""One measurement's answer in full: what a page shows of it, and what material cards are made of.

sheets/<measurement>.json of a validation; `score` writes it of the refinement's answer, or of the
network's where the refinement has none. It needs no other file to be understood.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Answer

CARD_FILES = ("_mat133.k", "_mat036.k", "_abaqus.inp", "_table.csv")
"""Endings of the material cards' file names, after the measurement's; the fullest first."""


class Value(Frozen):
    """A number that was identified, with its interval and the truth where there are such."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    true: FiniteFloat | None = None

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width; none without an interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2


class IdentifiedSheet(Frozen):
    """A sheet as it was identified from one measurement."""

    schema_version: Literal[1] = 1
    measurement: Slug
    campaign: Slug
    run_id: Slug
    validation: Slug
    model: Slug
    identified_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="UTC date")]
    method: Literal["network", "surrogate", "fem"]
    simulations: Annotated[int, Field(ge=0, description="that the answer cost")] = 0
    verdict: Answer
    reasons: tuple[str, ...] = ()
    material: Annotated[
        Material, Field(description="all of the sheet but its yield function's parameters")
    ]
    hardening: Annotated[
        Literal["given", "identified"], Field(description="where the hardening curve is from")
    ]
    parameters: Annotated[
        dict[str, Value], Field(min_length=1, description="of the yield function, by its own names")
    ]
    targets: Annotated[
        dict[str, str], Field(description="parameter -> the campaign's neutral name, MP1..")
    ]
    quantities: dict[Quantity, Value]
    scalars: Annotated[
        dict[str, Value], Field(description="exponent, youngs_modulus_mpa, where identified")
    ] = {}
    stresses: Annotated[
        tuple[tuple[FiniteFloat, Value], ...],
        Field(description="plastic strain, k in MPa: where identified, up to the strain reached"),
    ] = ()
    strain_reached: Annotated[
        float, Field(gt=0, description="largest equivalent strain of any patch at any time")
    ]
    interval_level: Annotated[float, Field(gt=0, lt=1)] = INTERVAL_LEVEL

    @model_validator(mode="after")
    def _has_the_parameters_of_its_yield_function(self) -> Self:
        wanted = self.material.parameters
        if tuple(self.parameters) != wanted:
            raise ValueError(
                f"parameters are {', '.join(self.parameters)}, but {self.material.yield_function} "
                f"has {', '.join(wanted)}, in this order"
            )
        return self
