"""What the jobs of a hyper-parameter search leave in its folder."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from hpc_jobs.contract.execution import Job, ResourceRequest
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.training import Network


class SearchSettings(Frozen):
    """search.json: what is searched, and what its jobs may use; frozen before the first trial."""

    schema_version: Literal[1] = 1
    search: Search
    resources: dict[Job, ResourceRequest] = {}

    def resources_for(self, job: Job) -> ResourceRequest:
        """Resources of one element of that job; defaults where there are none."""
        return self.resources.get(job, ResourceRequest())


class TrialFacts(Frozen):
    """A complete trial."""

    number: int
    network: Network
    error: Annotated[FiniteFloat, Field(description="validation, sum over the targets, min-max")]
    samples_per_s: FiniteFloat
    weights: Annotated[int, Field(description="trained ones")]
    on_front: Annotated[bool, Field(description="no other trial is better at both")] = False


class Finalist(Frozen):
    """A network that is trained over several seeds."""

    network: Network
    trial: Annotated[int | None, Field(description="none: the campaign's present network")] = None


Importance = Annotated[
    dict[str, FiniteFloat], Field(description="parameter -> share in reaching low errors")
]


class Finalists(Frozen):
    """finalists.json: who is compared; written once, when the last trial is complete."""

    schema_version: Literal[1] = 1
    study: Annotated[str, Field(description="identity of campaign, search and dataset")]
    dataset_sha256: str
    trials: tuple[TrialFacts, ...]
    failed: Annotated[dict[str, int], Field(description="cause -> trials without values")]
    importance: Importance = {}
    present: Annotated[str, Field(description="name of the network that is to be beaten")]
    finalists: Annotated[
        tuple[Finalist, ...], Field(min_length=1, description="the present network is the first")
    ]
    seeds: tuple[int, ...]

    @property
    def trainings(self) -> list[tuple[Finalist, int]]:
        """Every finalist with every seed, in the order of the array's elements."""
        return [(finalist, seed) for finalist in self.finalists for seed in self.seeds]


class SeedResult(Frozen):
    """seeds/<number>.json: one finalist, trained with one seed."""

    schema_version: Literal[1] = 1
    network: str
    seed: int
    error: FiniteFloat
    samples_per_s: FiniteFloat
    best_epoch: int


class Contender(Frozen):
    """A finalist after its trainings, and how it compares with the present network."""

    trial: int | None
    errors: Annotated[tuple[FiniteFloat, ...], Field(description="by seed")]
    mean: FiniteFloat
    deviation: Annotated[FiniteFloat, Field(description="over the seeds")]
    samples_per_s: Annotated[FiniteFloat, Field(description="median over the seeds")]
    p: Annotated[FiniteFloat | None, Field(description="Welch, one-sided, after Holm")] = None
    effect_size: FiniteFloat | None = None
    interval: Annotated[
        tuple[FiniteFloat, FiniteFloat] | None,
        Field(description="95 % of the difference of the means"),
    ] = None
    better: bool = False


class Choice(Frozen):
    """choice.json: what the search found."""

    schema_version: Literal[1] = 1
    name: str
    trials: int
    failed: dict[str, int]
    importance: Importance = {}
    front: Annotated[tuple[TrialFacts, ...], Field(description="Pareto front, lowest error first")]
    present: str
    contenders: dict[str, Contender]
    level: float
    recommended: Annotated[
        str | None, Field(description="better, with the lowest mean; none if the present one stays")
    ]
    networks_yaml: Annotated[str, Field(description="for training.networks of the campaign")]
