"""What a campaign says of its sheets: numbers, as of one sheet, or ranges, as of a family."""

from collections.abc import Mapping
from itertools import pairwise
from math import log
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from hpc_jobs.contract.frozen import (
    LARGEST_MODULUS,
    SMALLEST_MODULUS,
    Interval,
    Modulus,
    Positive,
    Setting,
)
from hpc_jobs.contract.material import (
    LARGEST_EXPONENT,
    NODE_PRESTRAIN,
    QUADRATIC,
    SMALLEST_EXPONENT,
    YIELD_PARAMETERS,
    Hardening,
    HockettSherby,
    Material,
    Swift,
    Voce,
    YieldFunctionName,
    initial_yield_stress,
    quadratic_has_exponent_2,
)

Role = Literal["given", "identified", "nuisance"]
"""Of a coordinate; what is fixed is none."""

LEVEL_STRAIN = 0.05
"""Plastic strain at which the level of a curve is told."""
LAWS: dict[str, type[Swift | Voce | HockettSherby]] = {
    "swift": Swift,
    "voce": Voce,
    "hockett_sherby": HockettSherby,
}


def _ordered(low: float, high: float, name: str, least: float) -> None:
    if not least <= low < high < float("inf"):
        raise ValueError(
            f"{name} is [{low:g}, {high:g}]; give two numbers from {least:g} up, the smaller first"
        )


class Ranged(Setting):
    """A scalar that differs from sheet to sheet."""

    range: Interval
    role: Annotated[
        Literal["given", "identified"],
        Field(description="given: every measurement knows it; identified: it is asked for"),
    ]

    @model_validator(mode="after")
    def _has_width(self) -> Self:
        _ordered(*self.range, "range", 0.0)
        return self


class HardeningNodes(Setting):
    """Curves through nodes of ln k at fixed plastic strains; see material.Nodes in between.

    The level is k(.05)/E, which strains and forces see, and a node of its own. Between
    neighbouring nodes a curve rises as Swift's law of some exponent n would,
    ln k2/k1 = n ln((.002 + p2)/(.002 + p1)): first_exponent bounds n in the first piece, where
    dual-phase steels bend sharply, local_exponents in the others, by one interval for all, or by
    one for each piece, the first included. An n is drawn for each piece; smooth curves keep it from
    jumping by more than `largest_jump` from one piece to the next after the first.
    """

    law: Literal["nodes"] = "nodes"
    plastic_strains: Annotated[
        tuple[float, ...],
        Field(min_length=2, max_length=11, description="from 0; .05 is a node in any case"),
    ] = (0.0, 0.003, 0.01, 0.03, 0.08, 0.16)
    k05_over_e: Annotated[Interval, Field(description="k at a plastic strain of .05 over E")]
    local_exponents: Annotated[
        Interval | tuple[Interval, ...], Field(description="n between neighbouring nodes")
    ] = (0.02, 0.32)
    first_exponent: Annotated[Interval, Field(description="n of the first piece")] = (0.005, 0.65)
    largest_jump: Annotated[
        Positive, Field(description="of n between neighbouring pieces; larger ones are left out")
    ] = 0.15
    role: Literal["given", "identified"] = "identified"

    @property
    def nodes(self) -> tuple[float, ...]:
        """All nodes' plastic strains, that of the level included."""
        return tuple(sorted({*self.plastic_strains, LEVEL_STRAIN}))

    @property
    def lengths(self) -> tuple[float, ...]:
        """Of the pieces between nodes, in ln(.002 + p)."""
        return tuple(
            log((NODE_PRESTRAIN + b) / (NODE_PRESTRAIN + a)) for a, b in pairwise(self.nodes)
        )

    @property
    def exponents(self) -> tuple[Interval, ...]:
        """The bounds of n, piece by piece."""
        given: Any = self.local_exponents
        rest = (given,) * (len(self.lengths) - 1)
        each = given if isinstance(given[0], tuple) else (self.first_exponent, *rest)
        return tuple((float(low), float(high)) for low, high in each)

    @property
    def rises(self) -> tuple[Interval, ...]:
        """The bounds of ln k2/k1, piece by piece."""
        pieces = zip(self.exponents, self.lengths, strict=True)
        return tuple((low * length, high * length) for (low, high), length in pieces)

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        strains = self.plastic_strains
        if strains[0] != 0:
            raise ValueError(f"plastic_strains begins at {strains[0]:g}; begin at 0, first yield")
        for one, other in pairwise(strains):
            if not one < other < 2:
                raise ValueError(
                    f"plastic_strains has {other:g} after {one:g}; let them increase, below 2"
                )
        _ordered(*self.k05_over_e, "k05_over_e", 1e-5)
        if self.k05_over_e[1] > LARGEST_YIELD_STRAIN:
            raise ValueError(
                f"k05_over_e is [{self.k05_over_e[0]:g}, {self.k05_over_e[1]:g}], but no sheet "
                f"yields at more than {LARGEST_YIELD_STRAIN:g} of E; give k(.05)/E: .0015 to .006 "
                "for steels"
            )
        if len(self.exponents) != len(self.lengths):
            raise ValueError(
                f"local_exponents has {len(self.exponents)} intervals, but there are "
                f"{len(self.lengths)} pieces between the nodes {self.nodes}; give one each, or one "
                "for all"
            )
        for low, high in self.exponents:
            _ordered(low, high, "local_exponents", 0.0)
        return self


class LawRanges(Setting):
    """Curves of one law whose parameters fill a box; plain numbers among them are fixed."""

    law: Literal["swift", "voce", "hockett_sherby"]
    ranges: Annotated[
        dict[str, Positive | Interval], Field(description="parameter of the law -> range or number")
    ]
    plastic_strains: Annotated[
        tuple[float, ...],
        Field(min_length=1, max_length=20, description="at which k is reported and learned"),
    ] = (0.0, 0.003, 0.01, 0.03, 0.05, 0.08, 0.16)
    role: Literal["given", "identified"] = "identified"

    @model_validator(mode="after")
    def _names_the_parameters(self) -> Self:
        known = [name for name in LAWS[self.law].model_fields if name != "law"]
        if sorted(known) != sorted(self.ranges):
            raise ValueError(
                f"ranges names {', '.join(sorted(self.ranges))}; {self.law} has the parameters "
                f"{', '.join(known)}: give a range or a number for each"
            )
        for end in (0, 1):
            corner = {
                name: given[end] if isinstance(given, tuple) else given
                for name, given in self.ranges.items()
            }
            try:
                LAWS[self.law].model_validate(corner)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the curve"
                raise ValueError(
                    f"ranges leads to a {self.law} curve that cannot be: {where} "
                    f"{corner.get(where, '')}: {first['msg'].removeprefix('Value error, ')}"
                ) from None
        if not any(isinstance(given, tuple) for given in self.ranges.values()):
            raise ValueError(
                "ranges holds plain numbers alone; give a range [lowest, highest], or write the "
                "law without `ranges`: it is fixed"
            )
        for name, given in self.ranges.items():
            if isinstance(given, tuple):
                _ordered(*given, f"ranges.{name}", 1e-9)
        return self


LARGEST_YIELD_STRAIN = 0.05
"""Of k(0)/E: metals stay below .02, so that a larger one means a wrong unit."""


def _form(given: Any) -> str:
    if isinstance(given, HardeningNodes) or _has(given, "k05_over_e"):
        return "nodes of a family"
    if isinstance(given, LawRanges) or _has(given, "ranges"):
        return "law with ranges"
    return "one curve"


def _has(given: Any, key: str) -> bool:
    return isinstance(given, Mapping) and key in given


HardeningForm = Annotated[
    Annotated[Hardening, Tag("one curve")]
    | Annotated[HardeningNodes, Tag("nodes of a family")]
    | Annotated[LawRanges, Tag("law with ranges")],
    Discriminator(_form),
]


def _number_or_range(given: Any) -> str:
    return "a range" if isinstance(given, Mapping | Ranged) else "a number"


Exponent = Annotated[
    float,
    Field(
        ge=SMALLEST_EXPONENT,
        le=LARGEST_EXPONENT,
        description="of the yield function: 6 for bcc, 8 for fcc; even ones up to 8 are fast",
    ),
]


class SheetForm(Setting):
    """The section `material` of a campaign: a number where a value is fixed, else a range."""

    yield_function: YieldFunctionName = "yld2000_2d"
    exponent: Annotated[
        Annotated[Exponent, Tag("a number")] | Annotated[Ranged, Tag("a range")],
        Discriminator(_number_or_range),
    ]
    youngs_modulus_mpa: Annotated[
        Annotated[Modulus, Tag("a number")] | Annotated[Ranged, Tag("a range")],
        Discriminator(_number_or_range),
    ]
    poisson_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    hardening: HardeningForm

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the yield function's parameters, in the order of the arrays."""
        return YIELD_PARAMETERS[self.yield_function]

    @property
    def fixed(self) -> Material | None:
        """The one material, if nothing varies."""
        values = (self.exponent, self.youngs_modulus_mpa, self.hardening)
        if any(isinstance(value, Ranged | HardeningNodes | LawRanges) for value in values):
            return None
        return Material.model_validate(self.model_dump())

    @model_validator(mode="after")
    def _modulus_is_a_metals(self) -> Self:
        if isinstance(self.youngs_modulus_mpa, Ranged):
            low, high = self.youngs_modulus_mpa.range
            if not SMALLEST_MODULUS <= low < high <= LARGEST_MODULUS:
                raise ValueError(
                    f"youngs_modulus_mpa.range is [{low:g}, {high:g}]; keep it within "
                    f"{SMALLEST_MODULUS:g} and {LARGEST_MODULUS:g}: give moduli and stresses in "
                    "MPa (steel: 210000)"
                )
        return self

    @model_validator(mode="after")
    def _exponent_is_physical(self) -> Self:
        if not isinstance(self.exponent, Ranged):
            quadratic_has_exponent_2(self.yield_function, self.exponent)
            return self
        low, high = self.exponent.range
        if self.yield_function in QUADRATIC:
            raise ValueError(
                f"exponent has a range, but {self.yield_function} is quadratic; set exponent: 2, "
                "or choose barlat89 or yld2000_2d"
            )
        if not SMALLEST_EXPONENT <= low < high <= LARGEST_EXPONENT:
            raise ValueError(
                f"exponent.range is [{low:g}, {high:g}]; keep it within {SMALLEST_EXPONENT:g} and "
                f"{LARGEST_EXPONENT:g}"
            )
        return self


def largest_yield_strain(sheet: SheetForm) -> float:
    """Return the largest k(0)/E that a campaign's sheets have: what tells wrong units."""
    scalar = sheet.youngs_modulus_mpa
    smallest_modulus = scalar.range[0] if isinstance(scalar, Ranged) else scalar
    form = sheet.hardening
    if isinstance(form, HardeningNodes):
        return form.k05_over_e[1]
    if isinstance(form, LawRanges):
        ends = {
            name: given[1] if isinstance(given, tuple) else given
            for name, given in form.ranges.items()
        }
        if form.law == "hockett_sherby":
            return ends["yield_stress_mpa"] / smallest_modulus
        return initial_yield_stress(LAWS[form.law].model_validate(ends)) / smallest_modulus
    return initial_yield_stress(form) / smallest_modulus
