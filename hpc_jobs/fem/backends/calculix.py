"""CalculiX, the free finite-element program of Dhondt and Wittig: an independent cross-check.

It knows J2 plasticity alone, so that only von Mises sheets can be compared. Two things differ from
plane stress as this engine defines it, and the deck allows for both:

- *PLASTIC tabulates Cauchy stress, our laws give the stress that is work-conjugate to ln U, per
  initial volume. In uniaxial tension they differ by the elastic change of volume,
  exp((1 - 2 nu) k/E): 0.15 % for steel, ten times that in strains near the peak of the force.
- Plane stress elements are turned into bricks of the section's thickness, whose thickness must not
  vary without shear: a resistance that goes with the thickness squared. The deck's sheet is
  thinner, and forces are scaled back.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.solver import SOLVERS
from hpc_jobs.fem.backends.deck import DeckSolver, Motion, VirtualTest
from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals

THINNER = {"CPS8R": 0.1, "CPS4R": 0.35}
"""Section thickness over the sheet's. CPS4R bears less: at 0.25 it stops at 0.94 mm on 16 x 8
elements, at 0.1 its forces err by 1.3 % on 24 x 12."""
SMALLEST_STEP = 1e-5  # of the end displacement
ISOTROPIC = 1e-12  # of alpha from 1

_STATUSES = {
    "nonpositive jacobian": "inverted",
    "too many cutbacks": "min_step",
    "increment size smaller than minimum": "min_step",
    "solution seems to diverge": "newton",
    "too many iterations needed": "newton",
}


class CalculiX(DeckSolver):
    """CPS4R: our very nodes, one point per element; CPS8R: midside nodes too, more exact."""

    name = "ccx"
    template = Path(__file__).with_name("calculix.inp.j2")
    deck = "strip.inp"
    command = ("ccx", "strip")
    remedy = "install CalculiX (Debian: apt-get install calculix-ccx; or https://www.calculix.de)"

    def __init__(self, element: Literal["CPS4R", "CPS8R"]) -> None:
        self.element = element

    def refusal(self, parameters: Mapping[str, float], material: Material) -> str:
        """Accept von Mises, also in the disguise of Yld2000-2d."""
        disguised = material.yield_function == "yld2000_2d" and material.exponent in (2, 4)
        isotropic = all(abs(value - 1) < ISOTROPIC for value in parameters.values())
        if material.yield_function in SOLVERS["calculix"] or (disguised and isotropic):
            return ""
        return (
            "CalculiX has von Mises plasticity only: yield_function von_mises, or yld2000_2d with "
            f"exponent 2 and all alpha 1; this is {material.yield_function} with exponent "
            f"{material.exponent:g} and {dict(parameters)}; choose the solver native"
        )

    def variables(self, test: VirtualTest) -> Mapping[str, Any]:
        """Nodes, elements and ends of the element type; hardening and thickness as ccx has them."""
        elements, midside, ends = test.mesh.elements, np.empty((0, 2)), (test.left, test.right)
        if self.element == "CPS8R":
            elements, midside, ends = _with_midside_nodes(test.mesh)
        strain, stress = test.flow_curve.T
        volume = (1 - 2 * test.material.poisson_ratio) / test.material.youngs_modulus_mpa
        return {
            "element": self.element,
            "elements": elements,
            "midside": midside,
            "left": ends[0],
            "right": ends[1],
            "flow_curve": np.column_stack((strain, stress * np.exp(-volume * stress))),
            "thickness_mm": THINNER[self.element] * test.thickness_mm,
            "smallest_step": SMALLEST_STEP,
            "longest_step": np.diff(test.steps, prepend=0).max(),
        }

    def read(self, folder: Path, test: VirtualTest) -> Motion:
        """Read strip.dat; the sum of the right end's reactions is the force."""
        blocks: dict[str, dict[float, FloatArray]] = {"U": {}, "RF": {}, "PEEQ": {}}
        for quantity, now, values in read_dat(folder / "strip.dat"):
            blocks[quantity][now] = values
        times = sorted(blocks["U"].keys() & blocks["RF"].keys() & blocks["PEEQ"].keys())
        nodes = len(test.mesh.nodes)
        moved = [blocks["U"][now][:nodes, 1:3] for now in times]
        force = [blocks["RF"][now][0, 0] / THINNER[self.element] for now in times]
        plastic = [blocks["PEEQ"][now][:, -1].max() for now in times]
        return Motion(
            times=np.array(times),
            displacements=np.array(moved).reshape(-1, nodes, 2),
            forces=np.array(force),
            plastic_strains=np.array(plastic),
            iterations=_iterations(folder / "strip.sta"),
        )

    def status_of(self, words: str) -> str:
        """Recognise what ccx says when a material or a load step is to blame."""
        said = " ".join(words.split()).lower()
        return next((status for text, status in _STATUSES.items() if text in said), "")


CPS4R, CPS8R = CalculiX("CPS4R"), CalculiX("CPS8R")

_TITLES = {"displacements": "U", "total force": "RF", "equivalent plastic strain": "PEEQ"}


def read_dat(path: Path) -> Iterator[tuple[str, float, FloatArray]]:
    """Yield quantity, time and table (rows, columns) of each block of a .dat file.

    A block is a title that ends with the time, an empty line, rows of numbers, an empty line.
    Raises OSError or ValueError if the file is not there or not of this form.
    """
    lines = iter(path.read_text().splitlines())
    for title in lines:
        quantity = next((q for t, q in _TITLES.items() if title.strip().startswith(t)), None)
        if quantity is None:
            continue
        next(lines, None)
        rows: list[list[float]] = []
        for line in lines:
            if not line.strip():
                break
            rows.append([float(word) for word in line.split()])
        yield quantity, float(title.split()[-1]), np.array(rows)


def _iterations(path: Path) -> int:
    """Sum the column ITRS of a .sta file: step, increment, attempt, iterations, times."""
    rows = (line.split() for line in path.read_text().splitlines())
    return sum(int(row[3]) for row in rows if len(row) == 7 and row[0].isdigit())


def _with_midside_nodes(
    mesh: Quadrilaterals,
) -> tuple[NDArray[np.int64], FloatArray, tuple[list[int], list[int]]]:
    """Return elements (m, 8), midside nodes (n, 2), numbered after the mesh's, and both ends."""
    sides = np.stack((mesh.elements, np.roll(mesh.elements, -1, axis=1)), axis=-1)
    pairs, index = np.unique(np.sort(sides, axis=-1).reshape(-1, 2), axis=0, return_inverse=True)
    corners = len(mesh.nodes)
    elements = np.hstack((mesh.elements, corners + index.reshape(-1, 4)))
    ends = []
    for first in (0, corners - mesh.per_column):
        own = np.arange(first, first + mesh.per_column)
        between = np.flatnonzero(np.isin(pairs, own).all(axis=1))
        ends.append([*own.tolist(), *(corners + between).tolist()])
    return elements, mesh.nodes[pairs].mean(axis=1), (ends[0], ends[1])
