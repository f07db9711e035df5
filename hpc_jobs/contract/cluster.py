"""A cluster as its YAML file describes it; secrets stay in the Airflow Connection of its name."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.execution import Constraint, NativeOption, SiteName
from hpc_jobs.contract.frozen import Frozen, Slug


class DirectoryWorkspaces(Frozen):
    """Workspaces are plain folders below a root; nothing expires."""

    kind: Literal["directory"]
    root: Annotated[str, Field(min_length=1, description="absolute, or relative to the login")]

    @property
    def place(self) -> str:
        """Where workspaces are made."""
        return self.root


class HpcWorkspaces(Frozen):
    """The hpc-workspace tools: ws_allocate, ws_list, ws_extend, ws_release, ws_find."""

    kind: Literal["hpc_workspace"]
    filesystem: str | None = None

    @property
    def place(self) -> str | None:
        """Where workspaces are made; None leaves the choice to the tools."""
        return self.filesystem


Workspaces = Annotated[DirectoryWorkspaces | HpcWorkspaces, Field(discriminator="kind")]


class Launcher(Frozen):
    """What starts the processes of an element that asks for several tasks."""

    kind: Annotated[
        Literal["srun", "openmpi", "mpich"],
        Field(description="srun; or whose mpiexec: Open MPI's; or MPICH's, Intel's, Cray PALS'"),
    ]
    options: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(max_length=20, description="more words for it, each one: [--cpu-bind, depth]"),
    ] = ()


class Cluster(Frozen):
    """One file of dags/clusters."""

    schema_version: Literal[1] = 1
    name: Slug
    description: Annotated[str, Field(min_length=1, max_length=500)]
    scheduler: Literal["local", "slurm", "pbs"]
    workspaces: Workspaces
    python: Annotated[
        str, Field(min_length=1, description="interpreter on the cluster, with the jobs extra")
    ] = "python3"
    container: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(
            max_length=50,
            description="what python runs in, word by word: [apptainer, exec, /path/image.sif]",
        ),
    ] = ()
    launcher: Annotated[
        Launcher | None, Field(description="for jobs with nodes or tasks_per_node above 1")
    ] = None
    modules: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][!-~]*$")], ...] = ()
    environment: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    partition: Annotated[SiteName | None, Field(description="Slurm partition or PBS queue")] = None
    account: SiteName | None = None
    qos: SiteName | None = None
    constraint: Constraint | None = None
    reservation: SiteName | None = None
    options: Annotated[
        tuple[NativeOption, ...],
        Field(max_length=20, description="extra options of sbatch or qsub for every job, one each"),
    ] = ()
    memory: Annotated[
        Literal["per_node", "per_cpu", "per_gpu", "none"],
        Field(description="how Slurm is asked for memory_mib: --mem, its share, or not at all"),
    ] = "per_node"
    group: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
            description="Unix group that shares the workspaces; without it, the umask of the login "
            "says who may read",
        ),
    ] = None
    poll_interval_s: Annotated[
        float, Field(ge=2, le=3600, description="one status command for all jobs, this often")
    ] = 30.0
    grace_s: Annotated[
        float, Field(ge=0, le=86400, description="a job may be unknown this long before it is lost")
    ] = 120.0
    inline_wait_s: Annotated[
        float, Field(ge=0, le=60, description="wait this long in the task before deferring")
    ] = 0.0
    max_array_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    cores_per_node: Annotated[
        int | None, Field(ge=1, le=4096, description="to say how many nodes a campaign fills")
    ] = None
    queue_wait_s: Annotated[
        float,
        Field(ge=0, le=60 * 86400, description="usual wait in the queue; a lease must last longer"),
    ] = 0.0

    @model_validator(mode="after")
    def _launcher_fits_the_scheduler(self) -> Self:
        fitting = {"slurm": ("srun", "openmpi", "mpich"), "pbs": ("openmpi", "mpich"), "local": ()}
        if self.launcher and self.launcher.kind not in fitting[self.scheduler]:
            choice = " or ".join(fitting[self.scheduler]) or "none: that queue is one machine"
            raise ValueError(
                f"launcher.kind is '{self.launcher.kind}' with scheduler '{self.scheduler}'; "
                f"choose {choice}"
            )
        return self

    @property
    def umask(self) -> str | None:
        """What files are made with: readable by the group that shares them, by nobody else."""
        return "027" if self.group else None

    @property
    def interpreter(self) -> tuple[str, ...]:
        """What runs Python there, inside the container where there is one."""
        return (*self.container, self.python)
