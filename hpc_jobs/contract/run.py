"""What one task of a DAG run hands to the next: small, and enough to find everything."""

from typing import Annotated, Literal

from pydantic import Field

from hpc_jobs.contract.execution import Job, ResourceRequest
from hpc_jobs.contract.frozen import Frozen, Slug

Site = Literal["cpu", "gpu"]


class SiteHandle(Frozen):
    """A run as one cluster sees it: the shared filesystem may be mounted elsewhere there."""

    cluster: Slug
    workspace: Annotated[str, Field(description="absolute path of the workspace on that cluster")]

    def __str__(self) -> str:
        return f"{self.cluster}:{self.workspace}"


class RunHandle(Frozen):
    """An opened run; travels as an XCom, so its size does not depend on the campaign's."""

    run_id: Slug
    campaign: Slug
    code_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    sites: dict[Site, SiteHandle]
    networks: Annotated[int, Field(ge=1, description="array elements of a training")]
    epochs: Annotated[
        int, Field(ge=0, description="of all elements of a training; 0: not known")
    ] = 0
    committees: Annotated[int, Field(ge=0, description="array elements of an assembly")] = 0
    measurements: Annotated[int, Field(ge=1, description="array elements of a re-simulation")]
    outside: Annotated[
        int, Field(ge=0, description="array elements of an identification outside the box")
    ] = 0
    resources: dict[Job, ResourceRequest]
    allowed_loss: float
    tries_per_element: int
    budget_core_hours: float | None = None
    mlflow_experiment: str
    mlflow_run_id: str
