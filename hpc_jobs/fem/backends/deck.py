"""External solvers that read a deck: a template, a command, a reader.

A virtual test is rendered by a Jinja2 template, solved in a scratch folder, and read back as what
moves: the displacements of the mesh's nodes and the axial force. All else is done here, the same
for every solver: ln U from the displacements, averages over the patches, necking, statuses. So a
record does not depend on which strain measure a solver prints.
"""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import jinja2
import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.backends.scratch import Ended, run, scratch
from hpc_jobs.fem.errors import SolverFailed, SolverMissing
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.record import Record, failed, finished, stopped
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.fem.specimen.kinematics import log_strains
from hpc_jobs.fem.specimen.load_steps import load_steps, output_fractions
from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals, notched_strip
from hpc_jobs.fem.specimen.patches import patch_weights, unfit_specimen

PEAK_PASSED = 1e-6  # relative loss of force that counts as passing the peak
FALL_FOR_GOOD = 0.03  # relative loss of force after which it is not expected to rise again
SAME_TIME = 1e-5  # fraction of the end displacement; decks and results are text
FLOW_CURVE = np.concatenate(([0.0], np.geomspace(1e-5, 2.0, 180)))
"""Plastic strains at which the hardening law is tabulated."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VirtualTest:
    """One specimen of one parameter point: what a template sees."""

    parameters: dict[str, float]  # of the yield function, by name
    material: Material
    specimens: Specimens
    tensile: TensileTest  # which of the specimens
    mesh: Quadrilaterals  # nodes (n, 2) in mm and elements (m, 4) from 0, counter-clockwise
    weights: FloatArray  # (patches, elements * 4)
    steps: FloatArray  # ends of the load steps, as fractions of the end displacement
    outputs: FloatArray  # the output times among them
    flow_curve: FloatArray  # (points, 2) equivalent plastic strain, flow stress in MPa

    @property
    def angle_deg(self) -> float:
        """Specimen axis to rolling direction."""
        return self.tensile.angle_deg

    @property
    def thickness_mm(self) -> float:
        """Of the sheet."""
        return self.tensile.geometry.thickness_mm

    @property
    def drawn_mm(self) -> float:
        """By how much its ends are drawn apart."""
        return self.tensile.drawn_mm[-1]

    @property
    def left(self) -> list[int]:
        """Nodes of the end at the lowest x: clamped across, drawn by minus half of the end's."""
        return list(range(self.mesh.per_column))

    @property
    def right(self) -> list[int]:
        """Nodes of the other end; the axial force is theirs."""
        return list(range(len(self.mesh.nodes) - self.mesh.per_column, len(self.mesh.nodes)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """What a solver found, at as many times as it reports; the output times must be among them.

    A run that stopped early returns what it has.
    """

    times: FloatArray  # (n,) fractions of the end displacement, increasing
    displacements: FloatArray  # (n, nodes, 2) mm, of the mesh's nodes
    forces: FloatArray  # (n,) N, axial
    plastic_strains: FloatArray  # (n,) the largest anywhere; NaN if the solver does not say
    iterations: int = 0  # of the equilibrium

    @property
    def largest_plastic_strain(self) -> float:
        """At the last of the times; 0 before the first."""
        return float(self.plastic_strains[-1]) if len(self.times) else 0.0

    def until_necking(self) -> tuple["Motion", bool]:
        """Cut off what follows a loss of force for good; returns also whether there was one."""
        lost = necking(self.forces)
        if lost is None:
            return self, False
        kept = slice(lost + 1)
        cut = replace(
            self,
            times=self.times[kept],
            displacements=self.displacements[kept],
            forces=self.forces[kept],
            plastic_strains=self.plastic_strains[kept],
        )
        return cut, True


def necking(forces: FloatArray) -> int | None:
    """Index of the first of a fall of force for good, or None; the rule of all solvers.

    A fall after which the force rises again is none: a sheet whose curve begins flat yields like
    that. One by FALL_FOR_GOOD is not waited out.
    """
    peak, before, fell = 0.0, 0.0, None
    for index, force in enumerate(forces.tolist()):
        if fell is not None and force > before:
            fell, peak = None, force
        if fell is None and force < peak * (1 - PEAK_PASSED):
            fell = index
        if force < peak * (1 - FALL_FOR_GOOD):
            return fell
        peak, before = max(peak, force), force
    return fell


class DeckSolver(ABC):
    """Derive from it: name, template, deck, command, remedy, and how to read the results."""

    name: ClassVar[str]
    template: ClassVar[Path]  # Jinja2; sees the fields of VirtualTest and `variables`
    deck: ClassVar[str]  # file name under which the command looks for the rendered template
    command: ClassVar[tuple[str, ...]]  # argv; no shell reads it
    remedy: ClassVar[str]  # how to get the program where it is missing
    environment: ClassVar[Mapping[str, str]] = {"OMP_NUM_THREADS": "1"}  # one process per core

    @abstractmethod
    def read(self, folder: Path, test: VirtualTest) -> Motion:
        """Read what the run left in `folder`; OSError or ValueError if it is not there."""

    def refusal(self, parameters: Mapping[str, float], material: Material) -> str:
        """Say why this solver cannot solve a material; "" if it can."""
        return ""

    def variables(self, test: VirtualTest) -> Mapping[str, Any]:
        """Whatever else the template needs."""
        return {}

    def status_of(self, words: str) -> str:
        """Name the status (contract.records) of a run that stopped early, by its last words.

        "" if the material is not to blame: no licence, a broken deck, a full disk.
        """
        return ""

    def missing(self) -> str:
        """Say whether the program is on the PATH."""
        found = shutil.which(self.command[0])
        return "" if found else f"{self.command[0]} is not on the PATH; {self.remedy}"

    def prepare(self, campaign: Campaign) -> str:
        """Nothing is compiled; raises SolverMissing, SolverFailed."""
        if self.missing():
            raise SolverMissing(f"solver '{campaign.solver}': {self.missing()}")
        self._check_outputs(campaign.specimens)
        return f"{self.name} is {shutil.which(self.command[0])}"

    def simulate(self, parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
        """Run all virtual tests of one parameter point; a failure is a status with its reason.

        time_limit_s of the specimens counts wall-clock time here: a solver is many processes.
        Raises SolverFailed where the material is not to blame.
        """
        self._check_outputs(specimens)
        values = np.asarray(parameters, dtype=np.float64)
        named = dict(zip(material.parameters, values.tolist(), strict=True))
        reason = defect(MATERIALS[material.yield_function].of(values, material)) or self.refusal(
            named, material
        )
        if reason:
            return failed("rejected_material", reason, specimens)
        unfit = unfit_specimen(specimens)
        if unfit:
            return failed("rejected_specimen", unfit, specimens)
        specimens, reason = with_output_times(values, material, specimens)
        if reason:
            return failed("no_output_times", reason, specimens)
        deadline = time.monotonic() + specimens.time_limit_s
        strains = np.empty(specimens.strain_shape)
        forces = np.empty(specimens.force_shape)
        largest, steps, iterations = 0.0, 0, 0
        for i, tensile in enumerate(specimens.tests):
            test = virtual_test(named, material, specimens, tensile)
            status, reason, motion = self._pull(test, deadline - time.monotonic())
            largest = max(largest, motion.largest_plastic_strain)
            steps, iterations = steps + len(motion.times), iterations + motion.iterations
            if status != "ok":
                return failed(status, reason, specimens, largest, steps, iterations)
            strains[:, i], forces[i] = _measure(test, motion)
        return finished(
            specimens, strains, forces, largest=largest, steps=steps, iterations=iterations
        )

    def _check_outputs(self, specimens: Specimens) -> None:
        if specimens.outputs:
            raise SolverFailed(
                f"specimens.outputs asks for {', '.join(specimens.outputs)}, but {self.name} is "
                "read for motion and force only; leave outputs out, or choose the solver native"
            )

    def _pull(self, test: VirtualTest, limit_s: float) -> tuple[str, str, Motion]:
        """Solve one specimen; return its status, the reason, and how it moved."""
        with scratch(self.name) as place:
            (place.folder / self.deck).write_text(self.render(test))
            ended = run(self.command, place.folder, limit_s, self.environment)
            try:
                motion = self.read(place.folder, test)
            except (OSError, ValueError) as error:
                if not (ended.timed_out or self.status_of(ended.words)):
                    raise SolverFailed(
                        f"{self.name} left no results ({error}); its last words: {ended.words}"
                    ) from error
                motion = _no_motion(test)
            motion, necked = motion.until_necking()
            status = "necked" if necked else self._status(test, ended, motion)
            place.failed = status != "ok"
        return status, "" if status == "ok" else _reason(test, status, ended, motion), motion

    def _status(self, test: VirtualTest, ended: Ended, motion: Motion) -> str:
        if ended.timed_out:
            return "time_limit"
        if not (np.isfinite(motion.displacements).all() and np.isfinite(motion.forces).all()):
            return "nonfinite"
        if np.isnan(log_strains(test.mesh, motion.displacements)).any():
            return "inverted"
        reached = motion.times[:, None] if len(motion.times) else np.full((1, 1), -1.0)
        if np.all(np.abs(reached - test.outputs).min(axis=0) < SAME_TIME):
            return "ok"
        status = self.status_of(ended.words)
        if status:
            return status
        raise SolverFailed(
            f"{self.name} ended with code {ended.code} and without results at all output times; "
            f"its last words: {ended.words}"
        )

    def render(self, test: VirtualTest) -> str:
        """Render the deck of a test; an undefined name in the template is an error."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.template.parent),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template(self.template.name).render(
            test=test, **self.variables(test)
        )


def virtual_test(
    parameters: dict[str, float], material: Material, specimens: Specimens, tensile: TensileTest
) -> VirtualTest:
    """Describe one specimen of a record."""
    mesh = notched_strip(tensile.geometry, specimens.mesh)
    steps, is_output = load_steps(output_fractions(tensile), specimens.steps_per_output)
    law = hardening_array(material.hardening)
    curve = [(p, flow_stress(law, p)[0]) for p in FLOW_CURVE]
    return VirtualTest(
        parameters=parameters,
        material=material,
        specimens=specimens,
        tensile=tensile,
        mesh=mesh,
        weights=patch_weights(mesh, tensile.patches(specimens.patches)),
        steps=steps,
        outputs=steps[is_output],
        flow_curve=np.array(curve),
    )


def _no_motion(test: VirtualTest) -> Motion:
    none = np.empty(0)
    nowhere = np.empty((0, *test.mesh.nodes.shape))
    return Motion(times=none, displacements=nowhere, forces=none, plastic_strains=none)


def _measure(test: VirtualTest, motion: Motion) -> tuple[FloatArray, FloatArray]:
    """Return patch strains (2, patches, times) and forces (times,) at the output times."""
    rows = np.abs(motion.times[:, None] - test.outputs).argmin(axis=0)
    strains = log_strains(test.mesh, motion.displacements[rows])
    return np.einsum("pq,ctq->cpt", test.weights, strains), motion.forces[rows]


def _reason(test: VirtualTest, status: str, ended: Ended, motion: Motion) -> str:
    there = len(motion.times) > 0
    where = stopped(
        test.specimens,
        test.tensile,
        status,
        steps=len(motion.times) - (status == "necked"),
        time=float(motion.times[-1]) if there else 0.0,
        force=float(motion.forces[-1]) if there else 0.0,
        largest=motion.largest_plastic_strain,
    )
    said = "; ".join(line.strip() for line in ended.words.splitlines() if "ERROR" in line.upper())
    return f"{where}: {said}" if said else where
