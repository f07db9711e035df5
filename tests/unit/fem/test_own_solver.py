"""The examples of docs/own-solver.md: their templates render, their readers read."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends.deck import DeckSolver, VirtualTest, virtual_test

PAGE = Path(__file__).parents[3] / "docs" / "own-solver.md"
STRIP = Specimens(angles_deg=(30.0,), mesh=Mesh(along=8, across=4), output_times=2)


def blocks(section: str) -> list[str]:
    """Code blocks of a section of the page."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)


def example(section: str, folder: Path, template: int) -> DeckSolver:
    """Define the section's solver, its template in `folder`."""
    found = blocks(section)
    source = next(block for block in found if "(DeckSolver)" in block)
    names: dict[str, Any] = {"__file__": str(folder / "solver.py"), "__name__": "example"}
    exec(compile(source, f"{PAGE}:{section}", "exec"), names)
    solver = names["SOLVER"]
    assert isinstance(solver, DeckSolver)
    solver.template.write_text(found[template])
    return solver


@pytest.fixture
def strip(dp780: tuple[np.ndarray, Material]) -> VirtualTest:
    alpha, material = dp780
    return virtual_test(
        dict(zip(material.parameters, alpha, strict=True)), material, STRIP, STRIP.tests[0]
    )


def test_the_deck_of_ls_dyna(strip: VirtualTest, tmp_path: Path) -> None:
    solver = example("LS-DYNA", tmp_path, template=1)
    deck = solver.render(strip)
    nodes = deck.split("*NODE\n")[1].split("*")[0].splitlines()
    assert len(nodes) == len(strip.mesh.nodes)
    assert len(deck.split("*ELEMENT_SHELL\n")[1].split("*")[0].splitlines()) == 32
    assert ", ".join(str(strip.parameters[f"alpha{i}"]) for i in range(1, 9)) in deck
    assert "0.866" in deck and "-0.49999" in deck  # the rolling direction
    assert solver.missing().endswith("module load lsdyna")


def test_the_reader_of_ls_dyna(strip: VirtualTest, tmp_path: Path) -> None:
    solver = example("LS-DYNA", tmp_path, template=1)
    node = "{:10d}" + "{:12.4E}" * 3
    times = (0.5, 1.0)
    rows = list(enumerate(strip.mesh.nodes[:, 0], 1))
    nodout = [
        f" n o d a l   p r i n t   o u t   f o r   t i m e  s t e p  1 ( at time {t:.7E} )\n\n"
        " nodal point  x-disp     y-disp      z-disp\n"
        + "\n".join(node.format(i, x * t / 100, 0, 0) for i, x in rows)
        for t in times
    ]
    (tmp_path / "nodout").write_text("\n\n\n".join(nodout))
    (tmp_path / "spcforc").write_text(
        "".join(
            f" output at time = {t:.5E}\n  force resultants   =  {-1000 * t:.4E}  0.0000E+00\n"
            for t in times
        )
    )
    motion = solver.read(tmp_path, strip)
    assert motion.times == pytest.approx(times)
    assert motion.forces == pytest.approx([500, 1000])
    assert motion.displacements[1, :, 0] == pytest.approx(strip.mesh.nodes[:, 0] / 100, abs=1e-4)


def test_the_deck_of_abaqus(strip: VirtualTest, tmp_path: Path) -> None:
    solver = example("Abaqus", tmp_path, template=0)
    isotropic = dict.fromkeys(("r0", "r45", "r90"), 1.0)
    hill = replace(strip, parameters=isotropic)
    assert "1, 1.0, 1.0, 1.0, 1, 1" in solver.render(hill)
    assert solver.refusal({}, strip.material).startswith("the deck is for hill48")
