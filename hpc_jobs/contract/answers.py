"""What is answered of a family's sheet beside its yield function's parameters, and by which name.

    r_value_45, stress_ratio_biaxial, ...   the mechanical values (contract.measurement.Quantity)
    exponent, youngs_modulus_mpa            where the campaign identifies them
    log_k@0.03                              natural logarithm of k(.03) in MPa, at each node

A campaign of one sheet answers the parameters alone; the rest follows from them.
"""

import re
from dataclasses import dataclass
from typing import get_args

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import QUANTITY_LABELS, Quantity
from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.contract.validation import Judgement

STRESS = "k@"
LOG_STRESS = "log_k@"
"""Begins the name of a target that is a stress; its level is what the forces say."""
_NUMBERED = re.compile(r"([A-Za-z]+)([0-9]+)")  # MP1, alpha8


def derived_names(campaign: Campaign) -> tuple[str, ...]:
    """Names of what is answered beside Campaign.targets, in order; none for a single sheet."""
    family = campaign.family
    if family.is_single_sheet:
        return ()
    coordinates = family.coordinates
    scalars = [
        one.name
        for one in coordinates
        if one.role == "identified" and one.name in ("exponent", "youngs_modulus_mpa")
    ]
    curve = any(
        one.role == "identified" and one.specimen is None and one.name not in scalars
        for one in coordinates
    )
    strains = sorted({*family.curve_strains, LEVEL_STRAIN})
    nodes = [f"{LOG_STRESS}{strain:g}" for strain in strains if curve]
    return (*get_args(Quantity), *scalars, *nodes)


def is_log_stress(name: str) -> bool:
    """Whether a target is the logarithm of a stress, to be told relative to the forces."""
    return name.startswith(LOG_STRESS)


def strain_of(name: str) -> float:
    """Plastic strain of a node's name."""
    return float(name.removeprefix(LOG_STRESS))


def stress_name(strain: float) -> str:
    """Name under which k(p), in MPa, is reported."""
    return f"{STRESS}{strain:g}"


def key_of(name: str) -> str:
    """Return a name as MLflow takes it for a metric or tag: k_0.05 for k@0.05."""
    return name.replace("@", "_")


def label_of(name: str) -> str:
    """As figures and tables write it."""
    if name.startswith((STRESS, LOG_STRESS)):
        return f"k({name.partition('@')[2]})"
    labels: dict[str, str] = {"exponent": "a", "youngs_modulus_mpa": "E"}
    labels |= {str(quantity): label for quantity, label in QUANTITY_LABELS.items()}
    return labels.get(name, name)


@dataclass(frozen=True, slots=True)
class Reported:
    """One line of a measurement's result, as every page, table and metric has it."""

    name: str
    label: str
    value: float | None  # none: not identified
    low: float | None  # ends of its interval, where it has one
    high: float | None
    true: float | None  # none: not known

    @property
    def is_stress(self) -> bool:
        """Whether it is k(p), in MPa."""
        return self.name.startswith(STRESS)

    @property
    def unit(self) -> str:
        """Of its value; empty for a plain number."""
        return "MPa" if self.is_stress or self.name == "youngs_modulus_mpa" else ""

    @property
    def error(self) -> float | None:
        """Value less truth, of a stress as a share of the truth; none where one is missing."""
        if self.value is None or self.true is None:
            return None
        return (self.value - self.true) / (self.true if self.is_stress else 1.0)


def reported(judgement: Judgement) -> tuple[Reported, ...]:
    """List what was found of a sheet: mechanical values, then a family's scalars and k(p)."""
    lines = []
    for quantity, (value, true) in judgement.quantities.items():
        low, high = judgement.intervals.get(quantity, (None, None))
        lines.append(Reported(quantity, label_of(quantity), value, low, high, true))
    for name, one in judgement.found.items():
        if name not in judgement.quantities:
            lines.append(Reported(name, label_of(name), one.value, one.low, one.high, one.true))
    return tuple(sorted(lines, key=in_order))


def in_order(line: Reported) -> tuple[int, float, str]:
    """Sort key: mechanical values in their own order, scalars, stresses by their strain."""
    return order_of(line.name)


def order_of(name: str) -> tuple[int, float, str]:
    """Sort key of names of targets and quantities, by which every table has them.

    Parameters by their numbers (MP2 before MP10), mechanical values, scalars, stresses by strain.
    """
    if name.startswith((STRESS, LOG_STRESS)):
        return (3, float(name.partition("@")[2]), "")
    mechanical = get_args(Quantity)
    if name in mechanical:
        return (1, mechanical.index(name), "")
    number = _NUMBERED.fullmatch(name)
    if number:
        return (0, float(number[2]), number[1])
    return (2, 0.0, name)


def given_in_words(judgement: Judgement) -> str:
    """List what was told, not identified, as "a 6, E 208,000 ± 3,000 MPa"; empty if nothing was."""
    told = []
    for name in sorted(judgement.given, key=order_of):
        value, deviation = judgement.given[name]
        line = Reported(name, label_of(name), value, None, None, None)
        spread = f" ± {deviation:,.4g}" if deviation else ""
        number = f"{value:,.{1 if line.is_stress else 3}f}".rstrip("0").rstrip(".")
        told.append(f"{line.label} {number}{spread} {line.unit}".rstrip())
    return ", ".join(told)
