"""What an examination of an answer starts from and finds: nuisances, suspects, goodness of fit."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen, Setting
from hpc_jobs.contract.measurement import Quantity

Share = Annotated[float, Field(ge=0, le=0.5, description="one standard deviation, relative")]
Lengths = Annotated[float, Field(ge=0, le=10, description="one standard deviation, mm")]
Degrees = Annotated[float, Field(ge=0, le=10, description="one standard deviation")]


class NuisancePriors(Setting):
    """How far a careful test house's measurement may be from what its description says.

    One standard deviation each, per specimen unless said; 0: known exactly. What a measurement
    knows better (MeasurementHeader.knowledge) or the campaign's section `nuisance` says goes before
    these.
    """

    notch_width_mm: Lengths = 0.02
    thickness_mm: Lengths = 0.005
    angle_deg: Degrees = 0.5
    patch_along_mm: Lengths = 0.05
    patch_across_mm: Lengths = 0.05
    axis_deg: Annotated[
        Degrees, Field(description="the patches' axes are turned against the strip's")
    ] = 0.05
    scale: Annotated[Share, Field(description="of all lengths in the pictures; shared")] = 0.003
    window_mm2: Annotated[
        float,
        Field(ge=0, le=100, description="square of the strains' own window, beyond the patch"),
    ] = 0.1
    compliance: Annotated[
        Share, Field(description="share of the end displacement that the machine takes; shared")
    ] = 0.003
    start_mm: Annotated[Lengths, Field(description="displacement when all begins")] = 0.002
    force_late_mm: Annotated[
        Lengths, Field(description="displacement by which forces are read late")
    ] = 0.001
    force_offset_n: Annotated[float, Field(ge=0, le=100_000)] = 20.0
    force_gain: Annotated[Share, Field(description="relative; shared")] = 0.005
    hardening_level: Annotated[
        Share, Field(description="relative, of a curve that is given; shared")
    ] = 0.003
    hardening_exponent: Annotated[
        Share, Field(description="d ln k/d ln(.002 + p) of such a curve; shared")
    ] = 0.001
    hardening_bend: Annotated[
        Share, Field(description="d2 ln k/d ln(.002 + p)2, about p = .05; shared")
    ] = 0.0005
    youngs_modulus: Annotated[Share, Field(description="relative, if given; shared")] = 0.02
    model_strain: Annotated[
        float,
        Field(
            ge=0,
            le=0.02,
            description="of strains, by mesh and model, at most: the residual says how much of it",
        ),
    ] = 1e-4
    model_force: Annotated[Share, Field(description="likewise of forces, relative")] = 0.002
    strain_measure: Annotated[
        float,
        Field(
            ge=0, le=2, description="0 is ln U, .5 engineering strain, 1 Green-Lagrange's; shared"
        ),
    ] = 0.01


OF_MODEL = frozenset({"model_strain", "model_force"})
"""What mesh and model miss, not a nuisance: no measurement knows it."""
KNOWABLE = frozenset(NuisancePriors.model_fields) - OF_MODEL
"""Nuisances that an examination fits, and of which a measurement may know, by name@specimen."""
SHARED = frozenset(
    {
        "scale",
        "window_mm2",
        "compliance",
        "force_gain",
        "hardening_level",
        "hardening_exponent",
        "hardening_bend",
        "youngs_modulus",
        "strain_measure",
    }
)
"""Those that all specimens have alike: known by their name alone."""


def misnamed(name: str, labels: Iterable[str]) -> str:
    """Say how knowledge of a nuisance is named wrongly, for tests of these labels; empty if not."""
    kind, at, label = name.partition("@")
    if kind not in KNOWABLE:
        return f"{kind} is no nuisance of a test; they are {', '.join(sorted(KNOWABLE))}"
    own = [one.replace(" ", "-") for one in labels]
    if kind in SHARED:
        return f"all specimens have one {kind}; write {kind}" if at else ""
    if label in own:
        return ""
    whose = f"there is no specimen {label}" if at else f"each specimen has its own {kind}"
    return f"{whose}; write {' or '.join(f'{kind}@{one}' for one in own)}"


class Suspect(Frozen):
    """What may be wrong with a measurement, by the residual's own account."""

    name: str  # of a nuisance, @ specimen where it is one specimen's
    words: Annotated[str, Field(description="what the measurement looks like, in one clause")]
    sigmas: Annotated[float, Field(ge=0, description="root of the fall of chi-square")]
    probability: Annotated[float, Field(ge=0, le=1)]
    value: FiniteFloat
    deviation: FiniteFloat
    unit: str


class Examination(Frozen):
    """An answer with everything that was not measured exactly fitted beside the sheet."""

    finding: Annotated[
        Literal["fits", "misfit", "too_good"],
        Field(description="misfit: more is left than noise; too_good: far less"),
    ]
    rms: Annotated[float, Field(description="what is left, in units of the noise")]
    rms_limits: Annotated[
        tuple[float, float], Field(description="within which chance explains what is left")
    ]
    values: int
    widened: Annotated[float, Field(ge=1, description="factor on deviations, by the misfit")]
    undone: Annotated[
        tuple[str, ...], Field(description="what was recognised, and taken out of the answer")
    ] = ()
    suspects: tuple[Suspect, ...] = ()
    nuisances: Annotated[
        dict[str, tuple[FiniteFloat, FiniteFloat]], Field(description="value and deviation")
    ] = {}
    quantities: Annotated[
        dict[Quantity, tuple[FiniteFloat, FiniteFloat]], Field(description="value and deviation")
    ] = {}
    residuals: Annotated[
        tuple[FiniteFloat | None, ...],
        Field(description="[specimen, patch, time] rms of both strains in noise; null: missing"),
    ] = ()
    reservations: Annotated[
        tuple[str, ...], Field(description="why the answer is not one without reservations")
    ] = ()
