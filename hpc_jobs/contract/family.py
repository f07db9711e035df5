"""A family of sheets: which scalars of sheet and test vary, and in what order they stand.

A campaign says of every scalar whether it is *fixed* (a plain number), *given* (it varies, and a
measurement knows it), *identified* (it varies, and is asked for) or a *nuisance* (nobody asks for
it, but it is never quite what the drawing says). All but the fixed ones are the family's
coordinates: one typed, ordered list, from which design, shards, dataset, networks, surrogate and
reports take names, units and order. The parameters of the yield function (Campaign.targets) come
before them, in arrays of their own.

To a surrogate a given value, an identified one and a nuisance are one coordinate each, with other
priors: what a measurement says of it is `value +- sd`, see contract.measurement.Known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, log

from pydantic import ValidationError

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Hardening, Material, Nodes
from hpc_jobs.contract.sheet import (
    LAWS,
    LEVEL_STRAIN,
    HardeningNodes,
    LawRanges,
    Ranged,
    Role,
    SheetForm,
)
from hpc_jobs.contract.specimen import NUISANCES, Piece, Specimens

NUISANCE_LIMIT = 3.0
"""Standard deviations beyond which no nuisance is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """One scalar that varies from record to record.

    low and high bound what is drawn. A nuisance counts from its nominal value: 0 is what the
    campaign says, sd one standard deviation of what happens (0 for the others, which are drawn
    evenly, or evenly in their logarithm where `logarithmic`).
    """

    name: str
    unit: str
    role: Role
    low: float
    high: float
    sd: float = 0.0
    logarithmic: bool = False
    specimen: int | None = None  # index into Specimens.tests
    plastic_strain: float | None = None  # of a node of the curve

    @property
    def width(self) -> float:
        """By which it is scaled: the box's width, its logarithm's, or one standard deviation."""
        if self.sd:
            return self.sd
        return log(self.high / self.low) if self.logarithmic else self.high - self.low


@dataclass(frozen=True)
class Family:
    """The coordinates of a campaign's records, and what a record's values mean.

    `values` below are one record's, in the order of `coordinates`; () for a campaign in which all
    is fixed.
    """

    sheet: SheetForm
    specimens: Specimens
    nuisance: Mapping[str, float]  # one standard deviation, of each of specimen.NUISANCES

    @cached_property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """Exponent, Young's modulus, the curve's, then the nuisances, each specimen by specimen."""
        return (*self._scalars(), *self._curve(), *self._nuisances())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the coordinates."""
        return tuple(coordinate.name for coordinate in self.coordinates)

    @property
    def is_single_sheet(self) -> bool:
        """Whether every record has the campaign's own material and tests: all is fixed."""
        return not self.coordinates

    @property
    def has_own_materials(self) -> bool:
        """Whether records differ in exponent, elasticity or hardening."""
        return any(coordinate.specimen is None for coordinate in self.coordinates)

    def columns(self, *roles: Role) -> tuple[int, ...]:
        """Where the coordinates of these roles stand."""
        return tuple(i for i, one in enumerate(self.coordinates) if one.role in roles)

    @property
    def nominal(self) -> tuple[float, ...]:
        """The middle of every box, and nuisances of zero: to show, never to fall back on."""
        return tuple(
            0.0
            if one.sd
            else exp(log(one.low * one.high) / 2)
            if one.logarithmic
            else (one.low + one.high) / 2
            for one in self.coordinates
        )

    def defect(self, values: Sequence[float]) -> str:
        """Say why no sheet has these values: a softening curve, an exponent below 2; "" if one can.

        Whether the yield function is physical is for fem.materials.admissible to say.
        """
        try:
            self.material_of(values)
        except BadInput as error:
            return str(error)
        return ""

    def material_of(self, values: Sequence[float]) -> Material:
        """Return a record's own material; raises BadInput if no sheet has these values."""
        named = self._named(values)
        try:
            return Material(
                yield_function=self.sheet.yield_function,
                exponent=self._scalar("exponent", named),
                youngs_modulus_mpa=self._scalar("youngs_modulus_mpa", named),
                poisson_ratio=self.sheet.poisson_ratio,
                hardening=self._hardening(named),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise BadInput(
                f"no sheet has {', '.join(f'{key} {value:.6g}' for key, value in named.items())}: "
                f"{first['msg']}"
            ) from None

    def specimens_of(self, values: Sequence[float], specimens: Specimens) -> Specimens:
        """Return a record's own tests: `specimens` (on any mesh) with its pieces as they are."""
        if self.is_single_sheet:
            return specimens
        pieces: dict[int, dict[str, float]] = {}
        for one, value in zip(self.coordinates, self._checked(values), strict=True):
            if one.specimen is not None:
                pieces.setdefault(one.specimen, {})[one.name.split("@")[0]] = float(value)
        if not pieces:
            return specimens.model_copy(update={"warm_start": False})
        before = specimens.pieces or (Piece(),) * len(specimens.tests)
        made = tuple(
            piece.model_copy(update=pieces.get(index, {})) for index, piece in enumerate(before)
        )
        return specimens.model_copy(update={"pieces": made, "warm_start": False})

    @cached_property
    def curve_strains(self) -> tuple[float, ...]:
        """Plastic strains at which the hardening curve is reported and learned."""
        hardening = self.sheet.hardening
        if isinstance(hardening, HardeningNodes | LawRanges):
            return hardening.plastic_strains
        return ()

    def _scalars(self) -> list[Coordinate]:
        found = []
        for name, unit in (("exponent", "1"), ("youngs_modulus_mpa", "MPa")):
            scalar = getattr(self.sheet, name)
            if isinstance(scalar, Ranged):
                low, high = scalar.range
                found.append(Coordinate(name=name, unit=unit, role=scalar.role, low=low, high=high))
        return found

    def _curve(self) -> list[Coordinate]:
        form = self.sheet.hardening
        if isinstance(form, HardeningNodes):
            low, high = form.k05_over_e
            level = Coordinate(
                name="k05_over_e", unit="1", role=form.role, low=low, high=high, logarithmic=True
            )
            return [level, *_node_coordinates(form)]
        if isinstance(form, LawRanges):
            return [
                Coordinate(
                    name=f"hardening.{name}",
                    unit="MPa" if name.endswith("_mpa") else "1",
                    role=form.role,
                    low=given[0],
                    high=given[1],
                    logarithmic=True,
                )
                for name, given in form.ranges.items()
                if isinstance(given, tuple)
            ]
        return []

    def _nuisances(self) -> list[Coordinate]:
        tests = self.specimens.tests
        return [
            Coordinate(
                name=f"{name}@{test.label.replace(' ', '-')}",
                unit=NUISANCES[name],
                role="nuisance",
                low=-NUISANCE_LIMIT * sd,
                high=NUISANCE_LIMIT * sd,
                sd=sd,
                specimen=index,
            )
            for name, sd in self.nuisance.items()
            if sd > 0
            for index, test in enumerate(tests)
            # A straight strip has no notch whose width could be off
            if not (name == "notch_width_mm" and test.geometry.shape == "straight")
        ]

    def _checked(self, values: Sequence[float]) -> Sequence[float]:
        if len(values) != len(self.coordinates):
            raise BadInput(
                f"a record of this family has {len(self.coordinates)} coordinates "
                f"({', '.join(self.names) or 'none: all is fixed'}), not {len(values)}"
            )
        return values

    def _named(self, values: Sequence[float]) -> dict[str, float]:
        pairs = zip(self.coordinates, self._checked(values), strict=True)
        return {one.name: float(value) for one, value in pairs if one.specimen is None}

    def _scalar(self, name: str, named: Mapping[str, float]) -> float:
        scalar = getattr(self.sheet, name)
        return named[name] if isinstance(scalar, Ranged) else float(scalar)

    def _hardening(self, named: Mapping[str, float]) -> Hardening:
        form = self.sheet.hardening
        if isinstance(form, HardeningNodes):
            level = named["k05_over_e"] * self._scalar("youngs_modulus_mpa", named)
            stresses = {LEVEL_STRAIN: level}
            for one in self.coordinates:
                if one.plastic_strain is not None:
                    stresses[one.plastic_strain] = level * exp(named[one.name])
            strains = tuple(sorted(stresses))
            return Nodes(plastic_strains=strains, stresses_mpa=tuple(stresses[p] for p in strains))
        if isinstance(form, LawRanges):
            numbers = {
                name: named[f"hardening.{name}"] if isinstance(given, tuple) else given
                for name, given in form.ranges.items()
            }
            return LAWS[form.law].model_validate(numbers)
        return form


def _node_coordinates(form: HardeningNodes) -> list[Coordinate]:
    """Of each node but the level's: ln k(p)/k(.05), bounded by the rises between it and there."""
    strains = form.nodes
    at = strains.index(LEVEL_STRAIN)
    found = []
    for i, strain in enumerate(strains):
        if i == at:
            continue
        rises = form.rises[min(i, at) : max(i, at)]
        sums = sum(low for low, _ in rises), sum(high for _, high in rises)
        low, high = sums if i > at else (-sums[1], -sums[0])
        found.append(
            Coordinate(
                name=f"log_k_over_k05@{strain:g}",
                unit="1",
                role=form.role,
                low=low,
                high=high,
                plastic_strain=strain,
            )
        )
    return found
