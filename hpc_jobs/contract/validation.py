"""When an identified material counts as right, and what came out."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from hpc_jobs.contract.examination import Examination, NuisancePriors
from hpc_jobs.contract.frozen import Frozen, Setting, Slug
from hpc_jobs.contract.measurement import Known, Quantity
from hpc_jobs.contract.speedup import Lookups, Updating

INTERVAL_LEVEL = 0.9
"""Of every interval, a network's and a refinement's: the share of truths inside."""


class Limits(Setting):
    """The largest deviations that an identified material may show."""

    r_value_tolerance: Annotated[
        float,
        Field(gt=0, le=1, description="largest |r - true r| at 0, 45 and 90 degrees and between"),
    ] = 0.1
    r_biaxial_tolerance: Annotated[
        float, Field(gt=0, le=1, description="as above, biaxial; a notched strip hardly sees it")
    ] = 0.3
    stress_ratio_tolerance: Annotated[
        float, Field(gt=0, le=0.5, description="largest |s - true s|")
    ] = 0.02
    yield_locus_tolerance: Annotated[
        float,
        Field(
            gt=0,
            le=0.5,
            description="largest radial distance of the loci, share of the true radius",
        ),
    ] = 0.03
    strain_rms_tolerance: Annotated[
        float,
        Field(gt=0, le=100, description="re-simulated against measured, in units of the noise"),
    ] = 3.0
    force_tolerance: Annotated[
        float,
        Field(gt=0, le=0.5, description="re-simulated against measured, rms relative deviation"),
    ] = 0.03

    def tolerance(self, quantity: Quantity) -> float:
        """Largest accepted error of one quantity."""
        if quantity == "r_value_biaxial":
            return self.r_biaxial_tolerance
        if quantity.startswith("r_value"):
            return self.r_value_tolerance
        return self.stress_ratio_tolerance


class Validation(Limits):
    """Inverse validation: predict from a measurement, simulate again, compare."""

    measurements: Annotated[
        tuple[Slug, ...], Field(min_length=1, max_length=64, description="files in measurements/")
    ]

    @field_validator("measurements")
    @classmethod
    def _once_each(cls, measurements: tuple[Slug, ...]) -> tuple[Slug, ...]:
        if len(set(measurements)) < len(measurements):
            raise ValueError(f"{measurements} repeats a measurement; name each one once")
        return measurements

    mesh_refinement: Annotated[
        int,
        Field(
            ge=1,
            le=16,
            description="of the reference by which a mesh's bias is corrected, for engine and "
            "examination at the sheet that they find; 1: it is not",
        ),
    ] = 1
    refine: Annotated[
        bool,
        Field(
            description="also identify with strains and forces by the forward surrogate; of a "
            "family it says where to begin, and the engine answers"
        ),
    ] = True

    outside: Annotated[
        bool,
        Field(
            description="what the refinement withholds is identified by the FEM itself, at most 60 "
            "simulations each; they join the next dataset"
        ),
    ] = False
    updating: Annotated[
        bool,
        Field(
            description="identify one measurement by FEM updating too, some fifty simulations, "
            "so that the report tells the effective speedup"
        ),
    ] = False

    examine: Annotated[
        bool,
        Field(
            description="fit what was not measured exactly beside the sheet, by some two hundred "
            "simulations of a specimen each; where all of a sheet but its yield function is fixed"
        ),
    ] = True
    priors: Annotated[
        NuisancePriors, Field(description="of what a measurement's description leaves open")
    ] = NuisancePriors()

    @property
    def limits(self) -> Limits:
        """The tolerances alone."""
        return Limits(**self.model_dump(include=set(Limits.model_fields)))


Covariance = Annotated[
    tuple[tuple[FiniteFloat, ...], ...],
    Field(description="[target, target], physical, of the estimate's errors"),
]


class Found(Frozen):
    """One quantity of a sheet with its interval; of a judgement also the true value, if known."""

    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    true: FiniteFloat | None = None


FoundQuantities = Annotated[
    dict[str, Found],
    Field(
        description="of a family's sheet: mechanical values and scalars by name, k(p) in MPa as "
        "k@PLASTIC_STRAIN, up to the strain reached"
    ),
]


class Estimate(Frozen):
    """What a network or the refinement said of one measurement, or why it must not be asked."""

    measurement: Slug
    parameters: Annotated[
        dict[str, FiniteFloat] | None,
        Field(description="target -> value, in the order of the targets; none if outside"),
    ]
    outside: Annotated[
        tuple[str, ...], Field(description="why the measurement is outside what was trained")
    ] = ()
    novelty: Annotated[
        FiniteFloat,
        Field(
            description="of strains; of a refinement: rms residual in units of the noise; 0 where "
            "nothing was found that could have one"
        ),
    ]
    novelty_limit: FiniteFloat
    covariance: Covariance | None = None
    found: FoundQuantities = {}
    coordinates: Annotated[
        dict[str, FiniteFloat],
        Field(description="of the campaign's family, by name: with these it is simulated again"),
    ] = {}
    method: Annotated[
        Literal["network", "surrogate", "fem"],
        Field(description="fem: by the engine itself"),
    ] = "network"
    simulations: Annotated[int, Field(ge=0, description="that this answer cost")] = 0
    imputed: Annotated[
        int,
        Field(
            ge=0,
            description="strains that were not measured and that a network was given as draws of "
            "the law of the simulated records; its answer is as much less sure",
        ),
    ] = 0
    examination: Annotated[
        Examination | None, Field(description="of a refinement, by the engine")
    ] = None
    unsharpened: Annotated[
        str,
        Field(
            description="why an answer that the engine was to sharpen is the surrogate's still, or "
            "not freed of what the campaign's mesh does to it"
        ),
    ] = ""
    freed: Annotated[
        bool,
        Field(
            description="of what the campaign's mesh does to this very sheet; otherwise of what it "
            "does to an isotropic one, or of nothing"
        ),
    ] = False
    unexamined: Annotated[
        str, Field(description="why an examination that was asked for failed: nothing was examined")
    ] = ""

    @model_validator(mode="after")
    def _answered_or_outside(self) -> Self:
        if (self.parameters is None) != bool(self.outside):
            raise ValueError(
                f"estimate of {self.measurement}: give parameters or reasons why it is outside, "
                "not both and not neither"
            )
        return self


class Estimates(Frozen):
    """estimates.json: one estimate per measurement, in the campaign's order."""

    schema_version: Literal[1] = 1
    validation: Slug
    model: Slug
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="its manifest's")]
    estimates: tuple[Estimate, ...]
    refined: Annotated[
        tuple[Estimate, ...],
        Field(description="by the surrogate; of a family by the engine from there; then examined"),
    ] = ()
    lookups: Annotated[Lookups | None, Field(description="how long an answer took")] = None


class OutsideAnswer(Frozen):
    """outside/<measurement>.json: what the engine said of a sheet outside the box; its price."""

    schema_version: Literal[1] = 1
    estimate: Estimate
    points: Annotated[
        tuple[tuple[FiniteFloat, ...], ...],
        Field(description="simulated on the way: targets, then the family's coordinates"),
    ]


Answer = Literal["pass", "fail", "answered", "reservations", "outside"]


class Judgement(Frozen):
    """One measurement, judged."""

    verdict: Annotated[
        Answer,
        Field(
            description="pass and fail beside a known truth; answered where there is none to "
            "compare with, reservations where such an answer has some; outside: not answered"
        ),
    ]
    reasons: tuple[str, ...] = ()
    quantities: Annotated[
        dict[Quantity, tuple[FiniteFloat | None, FiniteFloat | None]],
        Field(description="[identified, true]; null where not identified or not known"),
    ]
    errors: Annotated[
        dict[str, FiniteFloat],
        Field(description="strain_rms (noise), force, r_curve, stress_curve, yield_locus"),
    ] = {}
    novelty: FiniteFloat
    novelty_limit: FiniteFloat
    intervals: Annotated[
        dict[Quantity, tuple[FiniteFloat, FiniteFloat]],
        Field(description="of each quantity, where the estimate has a covariance"),
    ] = {}
    found: FoundQuantities = {}
    method: Literal["network", "surrogate", "fem"] = "network"
    simulations: Annotated[int, Field(ge=0, description="that the answer cost")] = 0
    given: Annotated[
        dict[str, Known],
        Field(description="value and deviation of what was told, not identified, named as `found`"),
    ] = {}


class Verdict(Frozen):
    """verdict.json: whether a network may be trusted with real sheets."""

    schema_version: Literal[1] = 1
    validation: Slug
    model: Slug
    limits: Limits
    measurements: dict[Slug, Judgement]
    refined: Annotated[
        dict[Slug, Judgement], Field(description="the refinement's, beside the network's")
    ] = {}
    passed: Annotated[bool, Field(description="by the network's measurements alone")]
    updating: Annotated[Updating | None, Field(description="where the campaign asks for it")] = None
    notes: dict[str, str] = {}
