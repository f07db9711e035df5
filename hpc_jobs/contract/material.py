"""What the simulated sheet is made of: yield function, hardening, elasticity."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.frozen import FlowStress, Fraction, HardeningRate, Modulus, Setting

YieldFunctionName = Literal["von_mises", "hill48", "barlat89", "yld2000_2d"]
YIELD_PARAMETERS: dict[YieldFunctionName, tuple[str, ...]] = {
    "von_mises": (),
    "hill48": ("r0", "r45", "r90"),
    "barlat89": ("r0", "r45", "r90"),
    "yld2000_2d": tuple(f"alpha{i}" for i in range(1, 9)),
}
"""Yield function -> the parameters that a campaign can identify, in the order of the arrays."""

SMALLEST_EXPONENT, LARGEST_EXPONENT = 2.0, 20.0
LARGEST_STRAIN = 10.0
"""Plastic, of a curve: more is percent."""
Prestrain = Annotated[float, Field(gt=0, le=1)]
NODE_PRESTRAIN = 0.002
QUADRATIC: tuple[YieldFunctionName, ...] = ("von_mises", "hill48")
"""Yield functions whose exponent is 2 by definition."""


class Swift(Setting):
    """k(p) = K (e0 + p)^n."""

    law: Literal["swift"] = "swift"
    strength_mpa: FlowStress
    prestrain: Prestrain
    exponent: Annotated[float, Field(gt=0, lt=1)]


class Voce(Setting):
    """k(p) = s0 + Q (1 - exp(-b p))."""

    law: Literal["voce"] = "voce"
    yield_stress_mpa: FlowStress
    saturation_mpa: FlowStress
    rate: HardeningRate


class HockettSherby(Setting):
    """k(p) = s_inf - (s_inf - s0) exp(-m p^q)."""

    law: Literal["hockett_sherby"] = "hockett_sherby"
    saturation_stress_mpa: FlowStress
    yield_stress_mpa: FlowStress
    rate: HardeningRate
    exponent: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _does_not_soften(self) -> Self:
        if self.saturation_stress_mpa < self.yield_stress_mpa:
            raise ValueError(
                f"saturation_stress_mpa is {self.saturation_stress_mpa:g}, below yield_stress_mpa "
                f"{self.yield_stress_mpa:g}; a softening curve has no unique solution, so saturate "
                "at or above first yield"
            )
        return self


class Mixed(Setting):
    """k(p) = w k_swift(p) + (1 - w) k_voce(p)."""

    law: Literal["mixed"] = "mixed"
    swift_share: Annotated[Fraction, Field(description="w: 1 is Swift alone, 0 Voce alone")]
    swift: Swift
    voce: Voce


class Tabulated(Setting):
    """k(p) through measured points, e.g. of a bulge test.

    In between it is the monotone, once continuously differentiable cubic of Fritsch and Carlson
    (PCHIP); beyond the last point it goes on along its last slope.
    """

    law: Literal["tabulated"] = "tabulated"
    plastic_strains: Annotated[
        tuple[float, ...], Field(min_length=2, max_length=1000, description="increasing from 0")
    ]
    stresses_mpa: Annotated[
        tuple[FlowStress, ...], Field(min_length=2, max_length=1000, description="never falling")
    ]

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        _is_a_curve(self.plastic_strains, self.stresses_mpa)
        return self


class Nodes(Setting):
    """k(p) through a few nodes, smooth in between as hardening curves are.

    ln k is the monotone, once continuously differentiable cubic (PCHIP) of ln(1 + p/prestrain)
    through the nodes; beyond the last one it goes on along its last slope, a power law. A Swift
    curve is close to a straight line there, so that few nodes say much.
    """

    law: Literal["nodes"] = "nodes"
    prestrain: Prestrain = NODE_PRESTRAIN
    plastic_strains: Annotated[
        tuple[float, ...], Field(min_length=2, max_length=12, description="increasing from 0")
    ]
    stresses_mpa: Annotated[
        tuple[FlowStress, ...], Field(min_length=2, max_length=12, description="never falling")
    ]

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        _is_a_curve(self.plastic_strains, self.stresses_mpa)
        return self


def _is_a_curve(strains: tuple[float, ...], stresses: tuple[float, ...]) -> None:
    """Raise ValueError unless strains increase from 0 and stresses never fall, as many of each."""
    if len(strains) != len(stresses):
        raise ValueError(
            f"plastic_strains has {len(strains)} values and stresses_mpa {len(stresses)}; "
            "give one stress per strain"
        )
    if strains[0] != 0:
        raise ValueError(f"plastic_strains begins at {strains[0]:g}; begin at 0, first yield")
    for i, (one, other) in enumerate(pairwise(strains), 1):
        if not one < other <= LARGEST_STRAIN:
            raise ValueError(
                f"plastic_strains.{i} is {other:g} after {one:g}; each must exceed the last, and "
                f"none {LARGEST_STRAIN:g}: give them as .01, not in percent"
            )
    for i, (one, other) in enumerate(pairwise(stresses), 1):
        if other < one:
            raise ValueError(
                f"stresses_mpa.{i} is {other:g} after {one:g}; a softening curve has no "
                "unique solution, so cut it at its maximum"
            )


Hardening = Annotated[
    Swift | Voce | HockettSherby | Mixed | Tabulated | Nodes, Field(discriminator="law")
]


def initial_yield_stress(law: Hardening) -> float:
    """k(0) in MPa."""
    match law:
        case Swift():
            return float(law.strength_mpa * law.prestrain**law.exponent)
        case Voce() | HockettSherby():
            return law.yield_stress_mpa
        case Mixed():
            swift = initial_yield_stress(law.swift)
            return law.swift_share * swift + (1 - law.swift_share) * law.voce.yield_stress_mpa
        case Tabulated() | Nodes():
            return law.stresses_mpa[0]


def quadratic_has_exponent_2(name: YieldFunctionName, exponent: float) -> None:
    """Raise ValueError for a quadratic yield function of another exponent."""
    if name in QUADRATIC and exponent != 2:
        raise ValueError(
            f"exponent is {exponent:g}, but {name} is quadratic; set exponent: 2, or choose "
            "barlat89 or yld2000_2d"
        )


class Material(Setting):
    """The part of the material that is known: everything but the targets."""

    yield_function: YieldFunctionName = "yld2000_2d"
    exponent: Annotated[
        float,
        Field(
            ge=SMALLEST_EXPONENT,
            le=LARGEST_EXPONENT,
            description="of the yield function: 6 for bcc, 8 for fcc; even ones up to 8 are fast",
        ),
    ]
    youngs_modulus_mpa: Modulus
    poisson_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    hardening: Hardening

    @model_validator(mode="after")
    def _quadratic_has_exponent_2(self) -> Self:
        quadratic_has_exponent_2(self.yield_function, self.exponent)
        return self

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the yield function's parameters, in the order of the arrays."""
        return YIELD_PARAMETERS[self.yield_function]
