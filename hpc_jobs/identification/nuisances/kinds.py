"""What may be wrong with a measurement: each nuisance with its unit, its size and its words."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hpc_jobs.contract.examination import SHARED, NuisancePriors
from hpc_jobs.contract.specimen import TensileTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way in which a test differs from its description.

    gross is the standard deviation where it is not a small error but a mistake.
    """

    name: str  # field of NuisancePriors
    unit: str
    gross: float
    words: str  # of a mistake; {value}, {percent}, {size} = nominal size and value, {root}
    forces: bool = False  # seen in forces alone
    linear: bool = False  # taken for linear whatever its size is
    positive: bool = False  # a square, say: below 0 it explains nothing that can be

    @property
    def shared(self) -> bool:
        """Whether there is one for all specimens; otherwise each has its own."""
        return self.name in SHARED


KINDS: tuple[Kind, ...] = (
    Kind(
        name="notch_width_mm",
        unit="mm",
        gross=0.3,
        words="as if the notch were {size:.2f} mm wide",
    ),
    Kind(
        name="angle_deg",
        unit="deg",
        gross=5.0,
        words="as if cut at {size:.1f} degrees",
    ),
    Kind(
        name="patch_along_mm",
        unit="mm",
        gross=0.5,
        words="as if the patches lay {value:+.2f} mm along the strip",
    ),
    Kind(
        name="patch_across_mm",
        unit="mm",
        gross=0.5,
        words="as if the patches lay {value:+.2f} mm across the strip",
    ),
    Kind(
        name="axis_deg",
        unit="deg",
        gross=2.0,
        words="as if the patches were turned by {value:+.1f} degrees against the strip",
        linear=True,
    ),
    Kind(
        name="scale",
        unit="1",
        gross=0.03,
        words="as if lengths in the pictures were {percent:+.1f} % off",
    ),
    Kind(
        name="window_mm2",
        unit="mm^2",
        gross=4.0,
        words="as if the strains were averaged over a window of {root:.1f} mm beforehand",
        linear=True,
        positive=True,
    ),
    Kind(
        name="compliance",
        unit="1",
        gross=0.04,
        words="as if the machine took {percent:.1f} % of the travel",
    ),
    Kind(
        name="start_mm",
        unit="mm",
        gross=0.03,
        words="as if the specimen began to stretch {value:+.3f} mm late",
    ),
    Kind(
        name="force_late_mm",
        unit="mm",
        gross=0.05,
        words="as if forces were read {value:+.3f} mm of displacement late",
        forces=True,
    ),
    Kind(
        name="force_offset_n",
        unit="N",
        gross=400.0,
        words="as if the load cell's zero were {value:+.0f} N off",
        forces=True,
    ),
    Kind(
        name="force_gain",
        unit="1",
        gross=0.04,
        words="as if all forces were {percent:+.1f} % off",
        forces=True,
    ),
    Kind(
        name="thickness_mm",
        unit="mm",
        gross=0.04,
        words="as if the sheet were {size:.3f} mm thick",
        forces=True,
    ),
    Kind(
        name="hardening_level",
        unit="1",
        gross=0.04,
        words="as if the hardening curve were {percent:+.1f} % off",
    ),
    Kind(
        name="hardening_exponent",
        unit="1",
        gross=0.015,
        words="as if the hardening exponent were {value:+.4f} off",
    ),
    Kind(
        name="hardening_bend",
        unit="1",
        gross=0.01,
        words="as if the hardening curve were bent by {value:+.4f} against what is given",
    ),
    Kind(
        name="youngs_modulus",
        unit="1",
        gross=0.1,
        words="as if Young's modulus were {percent:+.1f} % off",
    ),
    Kind(
        name="strain_measure",
        unit="1",
        gross=0.7,
        words="as if the strains were {measure}, not ln U",
    ),
)
"""In the order of the arrays."""
KIND: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
OF_CURVE = ("hardening_level", "hardening_exponent", "hardening_bend")
MODULUS = "youngs_modulus"
NOMINAL = {"notch_width_mm", "thickness_mm", "angle_deg"}
"""Whose words tell a size, not a difference."""


@dataclass(frozen=True, slots=True)
class Column:
    """One unknown beside the sheet: a kind, of one specimen or of all."""

    kind: Kind
    specimen: int | None
    mean: float  # prior's
    deviation: float  # prior's
    identified: bool = False  # from the same measurement: nobody told it, or was mistaken about it

    def label(self, tests: tuple[TensileTest, ...]) -> str:
        """Name, with its specimen's label where it is one specimen's."""
        if self.specimen is None:
            return self.kind.name
        return f"{self.kind.name}@{tests[self.specimen].label.replace(' ', '-')}"


def columns_of(
    priors: NuisancePriors,
    campaign_sd: Mapping[str, float],
    knowledge: Mapping[str, tuple[float, float]],
    tests: tuple[TensileTest, ...],
    *,
    forces: bool,
    identified: Collection[str] = (),
) -> tuple[Column, ...]:
    """List the unknowns that a measurement's residual can speak of.

    campaign_sd is the campaign's section `nuisance` (0: not said there), knowledge the
    measurement's own, by kind@specimen; identified: kinds that were, of a family's sheet.
    """
    found = []
    for kind in KINDS:
        if kind.forces and not forces:
            continue
        usual = campaign_sd.get(kind.name, 0.0) or getattr(priors, kind.name)
        for specimen in (None,) if kind.shared else range(len(tests)):
            straight = specimen is not None and tests[specimen].geometry.shape == "straight"
            if kind.name == "notch_width_mm" and straight:
                continue
            column = Column(kind, specimen, 0.0, usual, kind.name in identified)
            if known := knowledge.get(column.label(tests)):
                column = Column(kind, specimen, known[0], known[1])
            found.append(column)
    return tuple(found)


def in_words(kind: Kind, value: float, test: TensileTest | None, where: str = "") -> str:
    """Say what a measurement with this nuisance looks like, and where: "in specimen 45".

    test: whose nominal sizes the words start from, for a kind that has one.
    """
    size = value
    if kind.name in NOMINAL and test is not None:
        sizes = {
            "notch_width_mm": test.geometry.notch_width_mm,
            "thickness_mm": test.geometry.thickness_mm,
            "angle_deg": test.angle_deg,
        }
        size = sizes[kind.name] + value
    measures = {0.0: "ln U", 0.5: "engineering strains", 1.0: "Green-Lagrange strains"}
    nearest = min(measures, key=lambda measure: abs(measure - value))
    said = kind.words.format(
        value=value,
        size=size,
        percent=100 * value,
        root=max(value, 0.0) ** 0.5,
        measure=measures[nearest] if nearest else f"of exponent {value:.2f}",
    )
    return f"{said}, {where}" if where else said
