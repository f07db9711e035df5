"""Where the jobs of a campaign run, and what each one may use."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.frozen import Setting, Slug

Job = Literal[
    "warm_kernels",
    "choose_points",
    "solve_shard",
    "deal_records",
    "pack_records",
    "publish_dataset",
    "train",
    "assemble",
    "identify",
    "identify_outside",
    "resimulate",
    "score",
    "compare",
    "search",
    "train_finalist",
    "choose_network",
]
"""Every cluster job; each is a module of hpc_jobs.jobs."""


ON_GPU_CLUSTER: frozenset[Job] = frozenset(
    {"train", "assemble", "identify", "compare", "search", "train_finalist", "choose_network"}
)
"""Jobs that run on execution.gpu_cluster; all others run on execution.cpu_cluster."""

TEAMS: frozenset[Job] = frozenset({"train"})
"""Jobs whose element may be several processes that divide its work."""

# Values that reach a scheduler's command line. Quoting is the transport's business; these patterns
# keep a value from meaning more there than it says: no blanks, no quotes, no leading "-".
SiteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,@+-]{0,127}$")]
Constraint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\[(][A-Za-z0-9_.,:=|&*()\[\]-]{0,255}$")]
MailAddress = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9][A-Za-z0-9.-]*$")
]
JobId = Annotated[str, Field(pattern=r"^[0-9]+(\[\])?(\.[A-Za-z0-9.-]+)?$")]
NativeOption = Annotated[str, Field(pattern=r"^-[!-~][ -~]{1,254}$")]


class ResourceRequest(Setting):
    """What one array element asks the scheduler for; a cluster's own defaults fill the gaps."""

    walltime_s: Annotated[int, Field(gt=0, le=30 * 86400)] = 600
    memory_mib: Annotated[int, Field(gt=0, le=4_000_000, description="of each node")] = 2000
    cpus: Annotated[int, Field(gt=0, le=1024, description="of each task")] = 1
    gpus: Annotated[int, Field(ge=0, le=64, description="of each node")] = 0
    nodes: Annotated[int, Field(gt=0, le=4096)] = 1
    tasks_per_node: Annotated[int, Field(gt=0, le=1024, description="processes, as for MPI")] = 1
    partition: Annotated[SiteName | None, Field(description="Slurm partition or PBS queue")] = None
    account: SiteName | None = None
    qos: SiteName | None = None
    constraint: Annotated[
        Constraint | None, Field(description="Slurm features, or PBS resources of a node")
    ] = None
    reservation: SiteName | None = None
    exclusive: Annotated[bool, Field(description="no other job on the same nodes")] = False
    mail: Annotated[MailAddress | None, Field(description="hears of end and failure")] = None
    signal_before_end_s: Annotated[
        int | None, Field(gt=0, le=65535, description="SIGTERM so long before the walltime is over")
    ] = None
    running_at_most: Annotated[
        int | None, Field(gt=0, le=1_000_000, description="elements of one array at a time")
    ] = None
    after: Annotated[
        tuple[JobId, ...], Field(max_length=50, description="jobs that must have ended well first")
    ] = ()
    options: Annotated[
        tuple[NativeOption, ...],
        Field(max_length=20, description="extra options of sbatch or qsub, one each"),
    ] = ()

    @model_validator(mode="after")
    def _signal_within_walltime(self) -> Self:
        if self.signal_before_end_s and self.signal_before_end_s >= self.walltime_s:
            raise ValueError(
                f"signal_before_end_s is {self.signal_before_end_s}, not less than walltime_s, "
                f"{self.walltime_s}; give a smaller one"
            )
        return self


class Packing(Setting):
    """What one element of the packing jobs may use, and when components are found anew."""

    memory_mib: Annotated[
        int,
        Field(ge=512, le=4_000_000, description="of one element, never above what its job asks"),
    ] = 2048
    elements: Annotated[
        int, Field(ge=1, le=10_000, description="at most so many deal, and then so many pack")
    ] = 16
    new_components_above: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="variance of new records that the components do not carry, summed over all "
            "directions, in units of the noise's in one: above it they are found anew",
        ),
    ] = 0.1


class Execution(Setting):
    """The two clusters, resources by job, and what a campaign may lose or spend."""

    cpu_cluster: Slug
    gpu_cluster: Slug
    workspace: Annotated[Slug, Field(description="name of the workspace that both clusters see")]
    workspace_days: Annotated[int, Field(gt=0, le=365)] = 30
    resources: dict[Job, ResourceRequest] = {}
    allowed_loss: Annotated[
        float, Field(ge=0, lt=1, description="fraction of array elements that may fail for good")
    ] = 0.005
    tries_per_element: Annotated[int, Field(ge=1, le=10)] = 3
    budget_core_hours: Annotated[
        float | None,
        Field(gt=0, le=1e9, description="of a run in all; a job that might exceed it is refused"),
    ] = None
    nightly_core_hours: Annotated[float, Field(gt=0, le=1e6)] = 1.0

    @model_validator(mode="after")
    def _only_teams_have_tasks(self) -> Self:
        for job, asked in self.resources.items():
            tasks = f"resources.{job} asks for nodes {asked.nodes}, tasks_per_node "
            tasks += f"{asked.tasks_per_node}"
            if asked.nodes * asked.tasks_per_node == 1:
                continue
            if job not in TEAMS:
                raise ValueError(
                    f"{tasks}, but each of its elements is one process; leave both at 1, and ask "
                    f"for cpus (several tasks: {', '.join(sorted(TEAMS))})"
                )
            if asked.gpus not in (0, asked.tasks_per_node):
                raise ValueError(
                    f"{tasks} and gpus {asked.gpus} of each node; a task uses one GPU: set "
                    "tasks_per_node to gpus"
                )
        return self

    def resources_for(self, job: Job) -> ResourceRequest:
        """Resources of one element of that job; defaults where the campaign names none."""
        return self.resources.get(job, ResourceRequest())
