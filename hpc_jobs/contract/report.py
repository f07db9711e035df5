"""What the tasks of a DAG run hand over to each other beside the run's handle: all of it models.

Each of them travels as an XCom, so none grows with the number of array elements. CampaignReport is
the last of them: the page and the terminal render it, and nothing else.
"""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.facts import ByStatus, DesignFacts, Facts
from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.records import first_mistake
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.speedup import SpeedupReport
from hpc_jobs.contract.validation import Verdict

Told = TypeVar("Told", bound=Facts)


class UsageReport(Frozen):
    """What array jobs took, every try included."""

    tries: int = 0
    queue_wait_s: float = 0.0
    run_s: float = 0.0
    core_hours: Annotated[float, Field(description="granted")] = 0.0
    gpu_hours: float = 0.0
    cpu_hours_used: float = 0.0
    efficiency: Annotated[float, Field(description="processor time used over granted")] = 0.0
    mean_queue_wait_s: float = 0.0


class ArrayReport(Frozen):
    """What an array job returns: counts, times, and the facts of its elements."""

    job: Job
    token: str
    job_ids: tuple[str, ...]
    elements: int
    done: int
    failed: int
    failures: Annotated[dict[str, str], Field(description="some elements, each with its cause")]
    wall_s: Annotated[float, Field(description="from the first element's start to the last's end")]
    cpu_hours: float
    gpu_hours: float
    usage: UsageReport = UsageReport()
    facts: Annotated[
        dict[str, Any],
        Field(description="of a single element as they are; of many, what is a number, summed"),
    ]

    def read(self, facts: type[Told]) -> Told:
        """Return the facts, typed; raises CorruptFile naming the fact that is not there."""
        try:
            return facts.model_validate(self.facts)
        except ValidationError as error:
            raise CorruptFile(
                f"the job {self.job} ({self.token}) did not say what this version reads: "
                f"{first_mistake(error)}; clear its task, so that it runs as this version does"
            ) from None


class ArrayProgress(Frozen):
    """How far an array job is: rewritten while it runs, the same size for any number of elements.

    The work is that of all elements, in the unit in which they report it; 0 planned where they
    report none.
    """

    as_of: Annotated[float, Field(description="Unix time of the control host, s")]
    cluster: Annotated[str, Field(max_length=48)] = ""
    elements: int
    done: int = 0
    failed: int = 0
    running: int = 0
    pending: int = 0
    held: Annotated[int, Field(description="not submitted: a limit leaves no room")] = 0
    unknown: int = 0
    work_done: int = 0
    work_planned: int = 0
    unit: Annotated[str, Field(max_length=40)] = ""
    named: Annotated[str, Field(max_length=200, description="how far each is that has a name")] = ""
    rate_per_s: Annotated[float | None, Field(description="of the work, lately")] = None
    left_s: Annotated[float | None, Field(description="for what is left, at that rate")] = None
    waits: Annotated[str, Field(max_length=200, description="why elements are pending")] = ""
    trouble: Annotated[str, Field(max_length=200, description="why nothing newer is known")] = ""


class RoundPlan(Frozen):
    """A round of simulations, as planned."""

    round: int
    train_records: int
    records: int
    shards: int
    aims: Annotated[
        Literal["campaign", "drift"],
        Field(description="what points aim at: as the campaign says, or at production's drift"),
    ] = "campaign"
    resumed: Annotated[bool, Field(description="an earlier night left it unfinished")] = False
    budget_core_hours: Annotated[float | None, Field(description="of a night")] = None
    expected_core_hours: Annotated[
        float | None, Field(description="at the rate measured so far; none: nothing was yet")
    ] = None
    packing_elements: Annotated[
        int, Field(description="array elements that deal and pack; 0: publish_dataset does it all")
    ] = 0


class NightReport(Frozen):
    """What one night planned, did, spent and left out; written however the night ended."""

    run_id: Slug
    plan: RoundPlan
    design: Annotated[DesignFacts | None, Field(description="none: no points were chosen")] = None
    records_by_status: ByStatus = {}
    core_hours: float = 0.0
    core_hours_per_good_record: float | None = None
    grown: Annotated[bool, Field(description="whether the dataset has records of this round")]
    failed: Annotated[tuple[str, ...], Field(description="tasks whose work failed")] = ()
    sentence: Annotated[str, Field(description="how it ended, and what to do")]


class ErrorsByTarget(Frozen):
    """Mean squared errors on the off-grid test set, in units of the target ranges."""

    sum: float
    per_target: dict[str, float]


class NetworkErrors(ErrorsByTarget):
    """A network's errors beside those of the baselines that saw what it saw."""

    baselines: dict[str, ErrorsByTarget] = {}

    @classmethod
    def of(cls, facts: ModelFacts) -> Self:
        """As a model's manifest says."""
        return cls(
            sum=facts.test_error,
            per_target=facts.test_errors,
            baselines={
                name: ErrorsByTarget(sum=facts.baseline(name), per_target=errors)
                for name, errors in facts.baselines.items()
            },
        )


Networks = Annotated[
    dict[str, NetworkErrors], Field(min_length=1, description="name in training.networks -> errors")
]


class Challenger(Frozen):
    """Which model of a training is put before the gate, and how all of them did."""

    model: Annotated[Slug, Field(description="its folder below models/")]
    networks: Networks


class Champion(Frozen):
    """A campaign's champion, and the run that it came from."""

    run_id: Slug
    model: Slug
    version: str


class GateReport(Frozen):
    """What the gate decided about a challenger, and why."""

    promoted: bool
    reason: str
    model: Slug
    validation: Slug
    registered_model: str
    version: str
    champion_before: Annotated[str | None, Field(description="version")]
    test_error: Annotated[float, Field(description="on the sealed test set")]
    mean_baseline: float
    champion_error: Annotated[float | None, Field(description="on the same records")] = None
    test_set: Annotated[str, Field(description="which sealed one")] = ""
    decided_by: Annotated[str, Field(description="rules, or a person's name")] = "rules"
    document: Annotated[str, Field(description="of the run's files in MLflow")] = ""


class Rival(Frozen):
    """Against whom a challenger stands; - and - where there is no champion yet."""

    run_id: str = "-"
    model: str = "-"
    sha256: Annotated[str, Field(description="of the model's manifest")] = "-"


class Proposal(Frozen):
    """What the rules say of a challenger, and what a person is shown who is asked."""

    promoted: bool
    ask: Annotated[bool, Field(description="whether a person's word is needed")]
    subject: str
    body: Annotated[str, Field(description="the evidence, Markdown")]
    approval_days: float


class RunOrigin(Frozen):
    """Which run a DAG run goes on with, and why that one."""

    run_id: Slug
    why: Literal["champion", "chosen"]


class ReplayReport(Frozen):
    """What was followed of a job's spools."""

    runs: Annotated[dict[str, str], Field(description="spool -> MLflow run")]
    metrics: Annotated[int, Field(description="logged by the last look")]
    losses: Annotated[dict[str, float], Field(description="spool -> loss on validation, last")] = {}


class VisibleFiles(Frozen):
    """What a cluster sees of the files that manifests name."""

    files: int
    size_bytes: int


class SweepReport(Frozen):
    """What one sweep of housekeeping did: rows of a table, column -> what a person reads."""

    rows: tuple[dict[str, str], ...]


class CampaignReport(Frozen):
    """The result of a campaign: what a person asks first."""

    run_id: Slug
    campaign: Slug
    mlflow_run_id: str
    mlflow_experiment_id: Annotated[str, Field(description="for links to the run's files")] = ""
    page: Annotated[str, Field(description="artifact of the run that shows it")] = "report.html"
    of: Literal["campaign", "retraining"] = "campaign"
    records_by_status: ByStatus
    networks: Networks
    verdict: Verdict
    gate: GateReport
    speedup: SpeedupReport | None = None
    usage: Annotated[UsageReport | None, Field(description="none: a cluster was away")] = None
    costs: Annotated[
        dict[str, float], Field(description="core-hours by what they bought; what was not: no key")
    ] = {}


class SearchPlan(Frozen):
    """An opened hyper-parameter search."""

    run: Annotated[RunHandle, Field(description="with the search's resources")]
    study: Annotated[RunHandle, Field(description="the same; its run in MLflow is the study's")]
    name: Slug
    workers: Annotated[int, Field(ge=1, description="array elements that try networks")]
    trainings: Annotated[int, Field(ge=1, description="array elements that train finalists")]


class SearchReport(Frozen):
    """What a hyper-parameter search found; its size does not depend on the trials."""

    sentence: Annotated[str, Field(description="what came of it")]
    recommended: str | None
    trials: int
    failed: dict[str, int]
    networks_yaml: Annotated[str, Field(description="for training.networks of the campaign")]
