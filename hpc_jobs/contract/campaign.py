"""A campaign: everything that decides what is simulated, trained and validated."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.design import Design
from hpc_jobs.contract.execution import Execution, Job
from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.solver import Solver, limitation
from hpc_jobs.contract.specimen import MESH_LEVELS, Specimens
from hpc_jobs.contract.training import (
    PAPER_HEADS,
    STORED_COMPONENTS,
    MultitaskCnn,
    Network,
    Noise,
    Training,
)
from hpc_jobs.contract.validation import Gate, Validation


class Campaign(Frozen):
    """One YAML file of dags/campaigns, or campaign.json in a run folder."""

    schema_version: Literal[1] = 1
    name: Slug
    description: Annotated[str, Field(min_length=1, max_length=500)]
    material: Material
    targets: Annotated[
        dict[str, str],
        Field(min_length=1, description="neutral name (MP1..) -> parameter of the yield function"),
    ]
    specimens: Specimens = Specimens()
    solver: Solver = "auto"
    design: Design
    noise: Noise = Noise()
    training: Training
    validation: Validation
    gate: Gate = Gate()
    search: Search | None = None
    execution: Execution

    @model_validator(mode="after")
    def _solver_solves_the_material(self) -> Self:
        reason = limitation(self.solver, self.material.yield_function)
        if reason:
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        known = self.material.parameters
        if not known:
            raise ValueError(
                f"material.yield_function {self.material.yield_function} has no parameter to "
                "identify; choose hill48, barlat89 or yld2000_2d (simulate works with all)"
            )
        if len(self.targets) > len(known):
            raise ValueError(
                f"targets names {len(self.targets)} targets, but {self.material.yield_function} "
                f"has {len(known)} parameters; remove {len(self.targets) - len(known)}"
            )
        for target, parameter in self.targets.items():
            if parameter not in known:
                raise ValueError(
                    f"targets.{target} is '{parameter}', which {self.material.yield_function} "
                    f"does not have; choose from {', '.join(known)}"
                )
        if sorted(self.targets.values()) != sorted(known):
            missing = sorted(set(known) - set(self.targets.values()))
            raise ValueError(
                f"targets must name each parameter of {self.material.yield_function} once; "
                f"missing: {', '.join(missing)}"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        training = self.training
        names = [network.name for network in (*training.trainings, *training.committees)]
        if len(set(names)) != len(names):
            raise ValueError(
                f"training.networks repeats a name in {names}, members and committees included; "
                "name each one once"
            )
        return self

    @model_validator(mode="after")
    def _heads_are_targets(self) -> Self:
        known = {*self.targets, *PAPER_HEADS}  # fewer targets have fewer of those
        for whose, network in self._described():
            heads = network.deep_heads if isinstance(network, MultitaskCnn) else ()
            unknown = [head for head in heads if head not in known]
            if unknown:
                raise ValueError(
                    f"deep_heads of {whose} names {', '.join(unknown)}; "
                    f"choose from the targets {', '.join(self.targets)}"
                )
        return self

    def _described(self) -> Iterator[tuple[str, Network]]:
        """Every network that the campaign may train, and where it is described."""
        for network in self.training.networks:
            yield f"network '{network.name}'", network
        for kind, space in self.search.space.kinds.items() if self.search else ():
            for network in space.corners:
                yield f"search.space.{kind}", network

    @model_validator(mode="after")
    def _components_are_stored(self) -> Self:
        stored = min(STORED_COMPONENTS, self.specimens.strain_values)
        for whose, network in self._described():
            if network.components > stored:
                raise ValueError(
                    f"components of {whose} is {network.components}, but the "
                    f"dataset stores {stored} of a record; take {stored} or fewer"
                )
        return self

    @model_validator(mode="after")
    def _searched_on_one_device_each(self) -> Self:
        jobs: tuple[Job, ...] = ("search", "train_finalist") if self.search else ()
        for job in jobs:
            asked = self.execution.resources_for(job)
            if asked.gpus > 1:
                raise ValueError(
                    f"execution.resources.{job} asks for {asked.gpus} GPUs, but each of its "
                    "elements uses one; give search.workers more elements instead"
                )
        return self

    @model_validator(mode="after")
    def _levels_differ(self) -> Self:
        level = self.specimens.mesh.level
        if level in self.design.mesh_shares:
            raise ValueError(
                f"design.mesh_shares names '{level}', which is specimens.mesh already; remove it: "
                "all other points are simulated on that mesh anyway"
            )
        return self

    @property
    def levels(self) -> tuple[Specimens, ...]:
        """The specimens on each mesh that records have: specimens.mesh, then design.mesh_shares."""
        others = (MESH_LEVELS[name] for name in self.design.mesh_shares)
        copies = (self.specimens.model_copy(update={"mesh": mesh}) for mesh in others)
        return (self.specimens, *copies)

    @property
    def columns(self) -> tuple[int, ...]:
        """Where each of material.parameters stands in a row that is in the order of targets."""
        order = list(self.targets.values())
        return tuple(order.index(parameter) for parameter in self.material.parameters)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: the same campaign, the same fingerprint."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class FrozenCampaign(Frozen):
    """campaign.json: the campaign as it was when its run began, and the code that ran it."""

    schema_version: Literal[1] = 1
    run_id: Slug
    campaign: Campaign
    code_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
