"""The base of every configuration model: frozen, strict about keys, with values in known units."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema


class Frozen(BaseModel):
    """An immutable value; an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Setting(Frozen):
    """What a person sets: its numbers are finite, wherever they stand."""

    model_config = ConfigDict(allow_inf_nan=False)


Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,47}$",
        description="lower-case letters, digits, '-' and '_', starting with a letter",
    ),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Plausible:
    """Marks a number that must lie within [low, high]; remedy says what is meant by it."""

    low: float
    high: float
    remedy: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check after the type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell the limits."""
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _check(self, value: float) -> float:
        if self.low <= value <= self.high:
            return value
        raise PydanticCustomError(
            "implausible",
            "should be within {low} and {high}",
            {"low": f"{self.low:g}", "high": f"{self.high:g}", "remedy": self.remedy},
        )


Millimetres = Annotated[Positive, Plausible(0.005, 10_000, "give millimetres")]
SMALLEST_MODULUS, LARGEST_MODULUS = 1e3, 1e6  # MPa, Young's
Modulus = Annotated[
    Positive, Plausible(SMALLEST_MODULUS, LARGEST_MODULUS, "give MPa (steel: 210000)")
]
FlowStress = Annotated[Positive, Plausible(0, 20_000, "give MPa")]
HardeningRate = Annotated[Positive, Plausible(0, 10_000, "it counts per plastic strain of 1")]
Interval = Annotated[
    tuple[float, float], Field(description="[lowest, highest], the first below the second")
]
