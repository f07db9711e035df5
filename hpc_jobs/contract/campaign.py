"""A campaign: everything that decides what is simulated, trained and validated."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from hpc_jobs.contract.design import Design
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.execution import Execution, Job, Packing
from hpc_jobs.contract.family import Family
from hpc_jobs.contract.frozen import Frozen, Setting, Slug
from hpc_jobs.contract.gate import Gate
from hpc_jobs.contract.geometry import LARGEST_DRAW, MESH_LEVELS, SMALLEST_DRAW
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.sheet import LARGEST_YIELD_STRAIN, SheetForm, largest_yield_strain
from hpc_jobs.contract.solver import Provenance, Solver, limitation, provenance
from hpc_jobs.contract.specimen import NUISANCES, Specimens
from hpc_jobs.contract.training import (
    PAPER_HEADS,
    STORED_COMPONENTS,
    MultitaskCnn,
    Network,
    Noise,
    Training,
)
from hpc_jobs.contract.validation import Validation


class Nuisance(Setting):
    """One standard deviation, per specimen, of what no drawing guarantees; 0: as drawn.

    See contract.specimen.Piece for what each means. A sd above 0 makes a coordinate per specimen.
    """

    angle_deg: Annotated[float, Field(ge=0, le=10)] = 0.0
    force_scale: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    notch_width_mm: Annotated[float, Field(ge=0, le=5)] = 0.0
    thickness_mm: Annotated[float, Field(ge=0, le=1)] = 0.0
    displacement_share: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    patch_along_mm: Annotated[float, Field(ge=0, le=10)] = 0.0
    patch_across_mm: Annotated[float, Field(ge=0, le=10)] = 0.0


class Campaign(Setting):
    """One YAML file of dags/campaigns, or campaign.json in a run folder.

    Where every value of its section `material` is a number and no nuisance is named, all records
    are of one sheet but for its yield function; else of a family (docs/families.md).
    """

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: Literal[1] = 1
    name: Slug
    description: Annotated[str, Field(min_length=1, max_length=500)]
    sheet: Annotated[SheetForm, Field(alias="material")]
    targets: Annotated[
        dict[str, str],
        Field(min_length=1, description="neutral name (MP1..) -> parameter of the yield function"),
    ]
    nuisance: Nuisance = Nuisance()
    specimens: Specimens = Specimens()
    solver: Solver = "auto"
    design: Design
    noise: Noise = Noise()
    packing: Packing = Packing()
    training: Training
    validation: Validation
    gate: Gate = Gate()
    search: Search | None = None
    execution: Execution

    @model_validator(mode="after")
    def _solver_solves_the_material(self) -> Self:
        reason = limitation(self.solver, self.sheet.yield_function)
        if reason:
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        known = self.sheet.parameters
        if not known:
            raise ValueError(
                f"material.yield_function {self.sheet.yield_function} has no parameter to "
                "identify; choose hill48, barlat89 or yld2000_2d (simulate works with all)"
            )
        if len(self.targets) > len(known):
            raise ValueError(
                f"targets names {len(self.targets)} targets, but {self.sheet.yield_function} "
                f"has {len(known)} parameters; remove {len(self.targets) - len(known)}"
            )
        for target, parameter in self.targets.items():
            if parameter not in known:
                raise ValueError(
                    f"targets.{target} is '{parameter}', which {self.sheet.yield_function} "
                    f"does not have; choose from {', '.join(known)}"
                )
        if sorted(self.targets.values()) != sorted(known):
            missing = sorted(set(known) - set(self.targets.values()))
            raise ValueError(
                f"targets must name each parameter of {self.sheet.yield_function} once; "
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

    @model_validator(mode="after")
    def _has_no_pieces(self) -> Self:
        if self.specimens.pieces:
            raise ValueError(
                "specimens.pieces says how specimens of one record differ from the drawing; a "
                "campaign says how much they may, in the section nuisance"
            )
        return self

    @model_validator(mode="after")
    def _yields(self) -> Self:
        largest = largest_yield_strain(self.sheet)
        if not largest <= LARGEST_YIELD_STRAIN:
            raise ValueError(
                f"material: first yield is at {largest:.3g} of Young's modulus, and no metal's is "
                f"above {LARGEST_YIELD_STRAIN:g}; give moduli and stresses in MPa (steel: 210000)"
            )
        return self

    @model_validator(mode="after")
    def _is_drawn(self) -> Self:
        specimens = self.specimens
        for index, geometry in enumerate(specimens.geometries):
            end = geometry.end_displacement_mm or specimens.end_displacement_mm
            share = end / geometry.notch_length_mm
            if share < SMALLEST_DRAW:
                raise ValueError(
                    f"specimens.end_displacement_mm is {end:g}, {share:.1g} of the length of "
                    f"geometries.{index}'s notch, {geometry.notch_length_mm:g} mm: nothing would "
                    "yield; give millimetres"
                )
            most = LARGEST_DRAW[geometry.shape] * geometry.notch_length_mm
            if end > most:
                raise ValueError(
                    f"specimens.end_displacement_mm is {end:g}, {share:.2g} of the length of "
                    f"geometries.{index}'s notch, {geometry.notch_length_mm:g} mm: any sheet would "
                    f"have necked; give {most:g} or less (some 1 to 2 mm where the notch is deep)"
                )
        return self

    @property
    def material(self) -> Material:
        """The material of all records, but for the targets, if it is one.

        Raises ConfigurationError for a family: each record has its own there, see family.
        """
        fixed = self.sheet.fixed
        if fixed is None:
            raise ConfigurationError(
                f"the campaign {self.name} is of a family of sheets, and its material each "
                "record's own: take campaign.family.material_of(values)"
            )
        return fixed

    @property
    def family(self) -> Family:
        """What varies from record to record beside the targets, in order; see contract.family.

        Made anew at each call: keep it where it is asked for record by record.
        """
        given = self.nuisance.model_dump()
        return Family(self.sheet, self.specimens, {name: given[name] for name in NUISANCES})

    @property
    def provenance(self) -> Provenance:
        """What the campaign's records are: simulations, or a rehearsal."""
        return provenance(self.solver)

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
        return tuple(order.index(parameter) for parameter in self.sheet.parameters)

    @property
    def question(self) -> str:
        """What a test record asks: equal ones can share a sealed test set; a short SHA-256.

        Sheets, specimens, noise and box; neither how many records there are nor who learns.
        """
        parts = {
            "sheet": self.sheet.model_dump_json(),
            "targets": list(self.targets.items()),
            "nuisance": self.nuisance.model_dump_json(),
            "specimens": self.specimens.model_dump_json(),
            "noise": self.noise.model_dump_json(),
            "box": self.design.box.model_dump_json(),
            "provenance": self.provenance,
        }
        if told := self.specimens.told_displacements:
            parts["told"] = list(told)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

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
