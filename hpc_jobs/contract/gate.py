"""When a network takes over: the gate's rules, the evidence that it weighs, and its decision.

The job `compare` asks challenger and champion the same sealed records and writes comparison.json;
the control host weighs it, and every decision becomes a document in MLflow.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpc_jobs.contract.frozen import Fraction, Frozen, Positive, Setting, Slug
from hpc_jobs.contract.solver import Provenance

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Losses = Annotated[
    tuple[FiniteFloat, ...],
    Field(
        description="one a record: sum over the targets of squared errors, in target ranges, mean "
        "over the draws of noise"
    ),
]


class Gate(Setting):
    """The challenger becomes champion if it is better, surely, and nowhere worse by more than so.

    Errors are mean squared errors on the sealed test set, summed over the targets.
    """

    minimum_improvement: Annotated[
        float, Field(ge=0, lt=1, description="share by which its error must be lower")
    ] = 0.02
    confidence: Annotated[
        float,
        Field(gt=0.5, lt=1, description="that it is better at all: one-sided, paired bootstrap"),
    ] = 0.995
    sheet_margin: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="of the champion's error at a measured sheet, or on the test set if that "
            "is larger: so much worse the challenger may be there",
        ),
    ] = 0.25
    coverage_shortfall: Annotated[
        Fraction, Field(description="by which intervals may hold less than they promise")
    ] = 0.05
    admissible_loss: Annotated[
        Fraction, Field(description="of answers: so many more may be no material")
    ] = 0.01
    largest_slowdown: Annotated[
        float,
        Field(
            ge=1, le=1000, description="times the champion's time for an answer, in large batches"
        ),
    ] = 5.0
    require_validation: Annotated[
        bool, Field(description="refuse a challenger that fails the inverse validation")
    ] = True
    approval: Annotated[
        bool, Field(description="ask a person before a challenger becomes champion")
    ] = False
    approval_days: Annotated[
        float, Field(gt=0, le=60, description="after which no answer counts as no")
    ] = 7.0


class SealedSet(Frozen):
    """Which test set was asked: one per question, versioned, known by its content."""

    question: Annotated[str, Field(pattern="^[0-9a-f]{16}$", description="Campaign.question")]
    version: Annotated[int, Field(ge=1)]
    sha256: Annotated[Sha256, Field(description="of its file")]
    records: Annotated[int, Field(ge=1)]
    draws: Annotated[int, Field(ge=1, description="of noise on each record")] = 1
    source: Annotated[str, Field(description="run whose test records were sealed")]
    targets: tuple[str, ...]
    mean_loss: Annotated[FiniteFloat, Field(description="of always answering the set's own mean")]


class SheetAnswers(Frozen):
    """A network at one measured sheet: its virtual twin, simulated, with many draws of noise."""

    losses: Losses = ()
    withheld: Annotated[
        Fraction, Field(description="of the draws, called unlike all that was trained on")
    ] = 0.0


class Contestant(Frozen):
    """What one network answered."""

    run_id: Slug
    model: Slug
    sha256: Annotated[Sha256, Field(description="of its manifest")]
    losses: Losses
    covered: Annotated[
        dict[str, int], Field(description="target -> sealed records inside its interval, by draw")
    ]
    level: Annotated[Fraction, Field(description="share that the intervals promise to hold")]
    asked_admissible: Annotated[int, Field(ge=1, description="answers that were examined")]
    admissible: Annotated[int, Field(ge=0, description="of those, materials")]
    answers_per_s: Positive
    sheets: Annotated[dict[Slug, SheetAnswers], Field(description="by measurement")] = {}

    @property
    def loss(self) -> float:
        """Mean over the records."""
        return sum(self.losses) / len(self.losses)


class Comparison(Frozen):
    """comparison.json: the evidence."""

    schema_version: Literal[1] = 1
    validation: Slug
    sealed: SealedSet
    challenger: Contestant
    champion: Contestant | None = None
    not_comparable: Annotated[
        str, Field(description="why the champion could not be asked the same; empty: it was")
    ] = ""
    champion_expired: Annotated[
        bool, Field(description="its run's folder is gone: MLflow's copy of the network was asked")
    ] = False
    without_twin: Annotated[
        dict[Slug, str], Field(description="measurement -> why no sheet stands for it")
    ] = {}
    noise_seed: Annotated[int, Field(description="of the twins' noise")]
    provenance: Annotated[
        Provenance, Field(description="of the records that the challenger learned from")
    ] = "simulation"

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        for one in (self.challenger, self.champion):
            if one is not None and len(one.losses) != self.sealed.records:
                raise ValueError(
                    f"{one.model} answered {len(one.losses)} of {self.sealed.records} records; "
                    "run compare again"
                )
        return self


class Check(Frozen):
    """One question that the gate asked."""

    name: str
    passed: bool
    sentence: str
    figures: dict[str, FiniteFloat] = {}


class PersonsWord(Frozen):
    """What a person said when the gate asked."""

    answer: Literal["promote", "reject", "no answer"]
    by: Annotated[str, Field(description="user; empty where nobody answered")] = ""
    reason: str = ""
    at: Annotated[str, Field(description="ISO 8601")] = ""


class Decision(Frozen):
    """What the gate decided, why, and who or what decided."""

    promoted: bool
    reason: str
    checks: tuple[Check, ...] = ()
    decided_by: Annotated[str, Field(description="rules, or a person's name")] = "rules"
    word: PersonsWord | None = None

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that speak against the challenger."""
        return tuple(check for check in self.checks if not check.passed)


class DecisionDocument(Frozen):
    """gate/<validation>.json in MLflow: a decision with all that it rests on."""

    schema_version: Literal[1] = 1
    campaign: Slug
    run_id: Slug
    model: Slug
    validation: Slug
    registered_model: str
    version: str
    champion_before: Annotated[str | None, Field(description="version")]
    decided_at: Annotated[str, Field(description="ISO 8601, UTC")]
    decision: Decision
    rules: Gate
    bootstrap_seed: int
    bootstrap_draws: int
    comparison: Annotated[Comparison | None, Field(description="losses by record included")]
    verdict: Annotated[dict[str, str], Field(description="measurement -> pass, fail, ...")] = {}
