"""What the simulated sheet is made of: yield function, hardening, elasticity."""

from typing import Annotated, Literal

from pydantic import Field

from hpc_jobs.contract.base import Frozen, Positive

YIELD_PARAMETERS: dict[str, tuple[str, ...]] = {
    "yld2000_2d": tuple(f"alpha{i}" for i in range(1, 9)),
}
"""Yield function -> the parameters that a campaign can identify, in the order of the arrays."""


class Swift(Frozen):
    """k(p) = K (e0 + p)^n."""

    law: Literal["swift"]
    strength_mpa: Positive
    prestrain: Positive
    exponent: Annotated[float, Field(gt=0, lt=1)]


class Voce(Frozen):
    """k(p) = s0 + Q (1 - exp(-b p))."""

    law: Literal["voce"]
    yield_stress_mpa: Positive
    saturation_mpa: Positive
    rate: Positive


class HockettSherby(Frozen):
    """k(p) = s_inf - (s_inf - s0) exp(-m p^q)."""

    law: Literal["hockett_sherby"]
    saturation_stress_mpa: Positive
    yield_stress_mpa: Positive
    rate: Positive
    exponent: Annotated[float, Field(gt=0, le=1)]


Hardening = Annotated[Swift | Voce | HockettSherby, Field(discriminator="law")]


class Material(Frozen):
    """The part of the material that is known: everything but the targets."""

    yield_function: Literal["yld2000_2d"] = "yld2000_2d"
    exponent: Annotated[
        Literal[2, 4, 6, 8], Field(description="of the yield function: 6 for bcc, 8 for fcc")
    ]
    youngs_modulus_mpa: Positive
    poisson_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    hardening: Hardening

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the yield function's parameters, in the order of the arrays."""
        return YIELD_PARAMETERS[self.yield_function]
