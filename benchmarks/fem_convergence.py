"""What a mesh and its load steps cost in accuracy and time: the study behind the mesh levels.

    python -m benchmarks.fem_convergence [--json FILE] [--docs FILE]

Records of the demo campaign's specimens, of random sheets of its box and of published ones, against
the same records on a much finer mesh with more steps. Strains are patch averages, their bias is in
units of the measurement's noise; a rate is records of the native kernel per second of processor
time, set-up excluded. Prints a table, writes JSON and the page in docs/.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import MESH_LEVELS, Mesh
from hpc_jobs.contract.loading import load
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TEST
from hpc_jobs.fem.native.simulation import NativeSimulation
from hpc_jobs.fem.record import Record
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.virtual_experiment import yield_parameters

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "dags" / "campaigns" / "single_sheet.yaml"
REFERENCE, REFERENCE_STEPS = Mesh(level="reference", along=160, across=80, grading=0.35), 8
DOUBLED = (
    Mesh(along=12, across=6, grading=0.35),
    MESH_LEVELS["coarse"],
    Mesh(along=48, across=24, grading=0.35),
)
OTHERS = (
    Mesh(along=96, across=48, grading=0.35),
    Mesh(along=32, across=12, grading=0.35),
    Mesh(along=32, across=16, grading=0.35),
    Mesh(along=36, across=16, grading=0.35),
    Mesh(along=40, across=18, grading=0.35),
    Mesh(along=48, across=20, grading=0.25),
    Mesh(along=48, across=20, grading=0.5),
)
STEPS = (1, 2, 4)  # load increments between two output times
PUBLISHED = ("dp780", "tr1180", "aa6022")
RANDOM_SHEETS, SEED = 8, 20260  # no campaign's seed: no record of a test set is looked at
WIDTH = 100  # of a line in docs/
GOAL_BIAS, GOAL_RATE = 0.2, 100.0

Table = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mesh with one number of steps: rms and largest bias of strains (noise), forces (%)."""

    level: str
    along: int
    across: int
    grading: float
    steps_per_output: int
    sheets: int
    strain_rms: float
    strain_max: float
    force_rms: float
    force_max: float
    records_per_s: float

    @property
    def elements(self) -> int:
        """Elements of one specimen."""
        return self.along * self.across


def sheets(campaign: Campaign) -> Table:
    """Parameters (n, 8) of random sheets of the box and of published ones."""
    design = campaign.design.model_copy(update={"seed": SEED})
    own = campaign.model_copy(update={"design": design})
    random = draw(own, TEST, 0, RANDOM_SHEETS).parameters[:, list(campaign.columns)]
    exponent = int(campaign.material.exponent)
    known = [list(yield_parameters(ALLOYS[name], exponent)[0].values()) for name in PUBLISHED]
    return np.vstack((random, known))


def solve(campaign: Campaign, mesh: Mesh, steps: int, table: Table) -> tuple[list[Record], float]:
    """Solve all sheets on one mesh; also how many of them a second of processor time takes."""
    update = {"mesh": mesh, "steps_per_output": steps}
    simulation = NativeSimulation(campaign.material, campaign.specimens.model_copy(update=update))
    simulation.simulate(table[0])  # page faults
    start = time.process_time()
    records = [simulation.simulate(row) for row in table]
    return records, len(table) / (time.process_time() - start)


def study(campaign: Campaign, meshes: Sequence[Mesh], steps: Sequence[int]) -> Iterator[Row]:
    """Compare every mesh with every number of steps to the reference, sheets that fail left out."""
    table = sheets(campaign)
    finest, _ = solve(campaign, REFERENCE, REFERENCE_STEPS, table)
    for mesh in meshes:
        for number in steps:
            records, rate = solve(campaign, mesh, number, table)
            pairs = [
                (record, exact)
                for record, exact in zip(records, finest, strict=True)
                if record.status == exact.status == "ok"
            ]
            strain = np.array([a.strains - b.strains for a, b in pairs]) / campaign.noise.strain
            force = 100 * np.array([a.forces / b.forces - 1 for a, b in pairs])
            yield Row(
                **mesh.model_dump(),
                steps_per_output=number,
                sheets=len(pairs),
                strain_rms=_rms(strain),
                strain_max=float(np.abs(strain).max()),
                force_rms=_rms(force),
                force_max=float(np.abs(force).max()),
                records_per_s=rate,
            )


def orders(rows: Sequence[Row]) -> list[float]:
    """Observed order of the force's convergence, from each mesh of DOUBLED to the next."""
    steps = max(row.steps_per_output for row in rows)
    bias = {
        (row.along, row.across, row.grading): row.force_rms
        for row in rows
        if row.steps_per_output == steps
    }
    chain = [bias[mesh.along, mesh.across, mesh.grading] for mesh in DOUBLED]
    return [float(np.log2(a / b)) for a, b in pairwise(chain)]


def lay_out(rows: Sequence[Row]) -> str:
    """Lay the study out as a Markdown table."""
    lines = [
        "| mesh | elements | grading | steps | strain rms | strain max | force rms | force max "
        "| records/s | level |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.along} x {row.across} | {row.elements} | {row.grading:g} | {row.steps_per_output} "
        f"| {row.strain_rms:.3f} | {row.strain_max:.2f} | {row.force_rms:.3f} % "
        f"| {row.force_max:.3f} % | {row.records_per_s:.0f} "
        f"| {'' if row.level == 'explicit' else row.level} |"
        for row in rows
    ]
    return "\n".join(lines)


def judge(rows: Sequence[Row], steps: int) -> list[str]:
    """Say what the production mesh costs in the campaign's steps, against both goals."""
    found = {row.level: row for row in rows if row.steps_per_output == steps}
    row = found["production"]
    small = "below" if row.strain_rms < GOAL_BIAS else "ABOVE"
    return [
        f"production: strain bias {row.strain_rms:.2f} noise rms, {small} a fifth; largest "
        f"{row.strain_max:.1f}; force bias {row.force_rms:.2f} %; {row.records_per_s:.0f} "
        f"records/s and core (goal {GOAL_RATE:.0f})",
        "order of the force's convergence, doubling 12 x 6 to 48 x 24: "
        + ", ".join(f"{order:.2f}" for order in orders(rows)),
    ]


def page(rows: Sequence[Row], said: Sequence[str]) -> str:
    """Lay out docs/mesh-convergence.md."""
    about = (
        f"Bias of a record against the same record on {REFERENCE.along} x {REFERENCE.across} "
        f"elements with {REFERENCE_STEPS} steps per output. Strains are patch averages over all "
        "specimens and output times, their bias is in units of the noise, 5e-4; that of forces is "
        f"in percent. {rows[0].sheets} sheets: {RANDOM_SHEETS} random ones of the demo's box, and "
        f"{', '.join(PUBLISHED)}. Rates are records per second of processor time, native kernel, "
        "one core; on another machine only their ratios hold."
    )
    after = (
        "Levels are named in `specimens.mesh` of a campaign and, for a share of its training "
        "points, in `design.mesh_shares`; they are defined in `hpc_jobs/contract/geometry.py`. "
        "It matters where the edges of patches cut elements: as many elements, graded otherwise, "
        "can have half as much bias again."
    )
    return (
        "\n\n".join(
            (
                "# Mesh convergence",
                "Made by `python -m benchmarks.fem_convergence`.",
                fill(about, WIDTH),
                lay_out(rows),
                "\n".join(fill(f"- {line}", WIDTH, subsequent_indent="  ") for line in said),
                fill(after, WIDTH),
            )
        )
        + "\n"
    )


def _rms(values: Table) -> float:
    return float(np.sqrt(np.mean(values**2)))


def main() -> None:
    """Study, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/fem_convergence.json"))
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "mesh-convergence.md")
    options = parser.parse_args()
    campaign = load(Campaign, DEMO)
    meshes = sorted({*DOUBLED, *OTHERS, *MESH_LEVELS.values()}, key=lambda mesh: mesh.elements)
    rows = list(study(campaign, meshes, STEPS))
    said = judge(rows, campaign.specimens.steps_per_output)
    sys.stdout.write("\n".join((lay_out(rows), *said)) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    options.docs.write_text(page(rows, said))


if __name__ == "__main__":
    main()
