"""The base of every configuration model: frozen, strict about keys, with values in known units."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """An immutable value; an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,47}$",
        description="lower-case letters, digits, '-' and '_', starting with a letter",
    ),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[
    tuple[float, float], Field(description="[lowest, highest], the first below the second")
]
