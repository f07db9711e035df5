"""What each cluster job says in its elements' results: the one part of them that the jobs define.

An element's result manifest holds its facts as JSON. Of an array of many elements the control
plane adds up what is a number (operators.array.report), so numbers here are such that sums mean
something wherever a job has more than one element.
"""

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.records import Manifest, read_facts
from hpc_jobs.contract.speedup import Lookups
from hpc_jobs.contract.validation import Verdict

THIRDS = ("low", "middle", "high")
MOST_FAILED = 5000
"""Failed records of a run that are looked at, the first rounds' first."""
FailedIn = Annotated[
    dict[str, dict[str, int]], Field(description="axis of the box -> third -> records that failed")
]
ByStatus = Annotated[dict[str, int], Field(description="status of a record -> records")]


class Facts(Frozen):
    """What one element of a job says; a reader leaves out what another version says more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Facts that a published file's manifest bears; raises CorruptFile naming the fact."""
        return read_facts(cls, manifest)


class KernelFacts(Facts):
    """warm_kernels: which solver is ready on this type of machine."""

    solver: str
    seconds: float
    done: Annotated[str, Field(description="built, compiled, or nothing to do")]


class LearningCurve(Facts):
    """How a surrogate's error at the measured sheets falls with records, and what more would do.

    Errors are standard errors over those that a perfect surrogate would have.
    """

    records: tuple[int, ...]
    error: tuple[float, ...]
    further: Annotated[int, Field(description="records of the round in question")]
    gain: Annotated[float, Field(description="share by which it would lower the error")]
    gain_low: float
    gain_high: float

    @property
    def sentence(self) -> str:
        """Say what a further round would gain."""
        return (
            f"{self.further} further records would lower the error at the measured sheets by "
            f"{self.gain:.1%} ({self.gain_low:.1%} to {self.gain_high:.1%})"
        )


class DesignFacts(Facts):
    """choose_points: the round's design; also what its manifest says."""

    round: int
    records: int
    shards: int
    rejected: Annotated[int, Field(description="points outside the mechanical box")]
    by_aim: Annotated[dict[str, int], Field(description="training points by what they aim at")] = {}
    skipped: Annotated[int, Field(description="points that the surrogate knows already")] = 0
    audited: Annotated[int, Field(description="of such points, those simulated anyway")] = 0
    notes: Annotated[dict[str, str], Field(description="aim -> why nothing was aimed at")] = {}
    curve: LearningCurve | None = None
    stopped: Annotated[str, Field(description="why no point was chosen; empty: some were")] = ""
    audit: Annotated[
        float | None,
        Field(description="rms miss, noise units, at points simulated although they were known"),
    ] = None


class ShardFacts(Facts):
    """solve_shard: one shard; also what its manifest says. Shards add up."""

    records: int
    by_status: ByStatus


class DealtFacts(Facts):
    """deal_records: units of shards that this element dealt. Elements add up."""

    units: int
    records: int


class WrittenFacts(Facts):
    """pack_records: packed files that this element wrote. Elements add up."""

    files: int
    records: int


class PackedFacts(Facts):
    """publish_dataset: what the next tasks need to know of a dataset."""

    generation: int
    train: int
    test: int
    by_status: ByStatus
    missing_shards: int
    sha256: Annotated[str, Field(description="of dataset/manifest.json")]
    uncarried: Annotated[
        float, Field(description="variance that the components leave of the new records")
    ] = 0.0
    anew: Annotated[str, Field(description="why everything was packed anew; else empty")] = ""
    failed_in: FailedIn = {}


class TrainedFacts(Facts):
    """train, assemble: one network; empty from a rank that does not lead."""

    model: Slug
    network: Slug
    test_sum_mse: float
    test_mse: dict[str, float]
    coverage: dict[str, float]
    baselines: Annotated[dict[str, float], Field(description="name -> sum over the targets")]
    loses_to: tuple[str, ...]
    validation_loss: float | None
    best_epoch: int | None


class IdentifiedFacts(Facts):
    """identify: how many measurements were asked about, and which must not be."""

    measurements: int
    outside: tuple[Slug, ...]


class ResimulatedFacts(Facts):
    """resimulate: what came of one measurement's re-simulation."""

    measurement: Slug
    skipped: Annotated[bool, Field(description="the network was not asked")]
    status: str
    reason: str


class OutsideFacts(Facts):
    """identify_outside: measurements asked of the FEM itself. Elements add up."""

    asked: int
    answered: int
    simulations: int


class ScoreFacts(Facts):
    """score: the verdict, as verdict.json has it, and how long an answer took."""

    verdict: Verdict
    lookups: Lookups | None = None


class CompareFacts(Facts):
    """compare: that both answered, on which test set."""

    comparable: bool
    reason: Annotated[str, Field(description="why the two cannot be compared; empty if they can")]
    test_set: Annotated[str, Field(description="sha256 of the sealed test set")]
    records: int


class SearchFacts(Facts):
    """search: trials that this worker has completed, and those of the whole study."""

    completed: int
    trials: int


class FinalistFacts(Facts):
    """train_finalist: one training; an element without a finalist to train is idle."""

    idle: bool = False
    network: str | None = None
    seed: int | None = None
    error: float | None = None
    samples_per_s: float | None = None


class ChoiceFacts(Facts):
    """choose_network: what the search recommends, over what."""

    recommended: str | None
    present: str
    trials: int
