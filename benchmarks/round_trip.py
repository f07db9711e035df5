"""What goes round: a known sheet, a virtual camera's files, the import, the examined answer.

    python -m benchmarks.round_trip [--sheets dp780 ...] [--layouts vic_3d ...] [--seeds 1 2 3]

Every defect of a camera and a machine is on at its usual size (measurement.camera.defects), and the
description file says what a test house knows: files, unloaded frames, clocks' rates, sizes by a
calliper, the preload. Each row is one series: its largest errors of r-values and of stress ratios,
half the 90 % interval there, the floor (1.65 posterior deviations if nothing is grossly wrong), and
what the examination says. The goals: r within .03 and stress ratios within .01, or the floor if it
is larger, in 90 % of the series; and intervals that hold the truth in 85 to 95 %.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.mesh_bias import MeshBias, mesh_bias_of, on_mesh
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.identification.nuisances.response import Unsimulated
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.camera.description import write_description
from hpc_jobs.measurement.camera.layouts import LAYOUTS
from hpc_jobs.measurement.camera.machine_file import MACHINES
from hpc_jobs.measurement.camera.series import (
    KnownSheet,
    Shot,
    shoot_series,
    write_series,
)
from hpc_jobs.measurement.importer import import_series
from hpc_jobs.measurement.series import load_series
from hpc_jobs.measurement.virtual_experiment import yield_parameters

CAMPAIGN = Path(__file__).parents[1] / "dags" / "campaigns" / "single_sheet.yaml"
SHEETS = ("dp780", "tr1180", "dp600", "dc04", "aa6022")
ENDS_MM = {"dp780": 0.9, "tr1180": 0.55, "dp600": 0.9, "dc04": 1.2, "aa6022": 0.9}
"""How far each sheet is pulled: below its peak force in all directions."""
HALF_90 = 1.645
GOAL_R, GOAL_STRESS = 0.03, 0.01
MESH_REFINEMENT = 2

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One sheet in a campaign of its own hardening."""

    name: str
    campaign: Campaign
    parameters: FloatArray

    @property
    def sheet(self) -> KnownSheet:
        """What the specimens are made of."""
        return KnownSheet(parameters=self.parameters, material=self.campaign.material)

    @property
    def true(self) -> dict[Quantity, float]:
        """Return all quantities of the sheet."""
        named = dict(zip(self.campaign.material.parameters, self.parameters, strict=True))
        return dict(Sheet.of(named, self.campaign.material).quantities())


@dataclass(frozen=True, slots=True, eq=False)
class Came:
    """What came back of one series, by quantity: value, deviation, floor and truth."""

    case: str
    layout: str
    seed: int
    misses: dict[Quantity, float]
    deviations: dict[Quantity, float]
    floors: dict[Quantity, float]
    rms: float
    words: str
    seconds: tuple[float, float]

    def met(self, quantity: Quantity) -> bool:
        """Whether one quantity is as near as the goal, or its floor, asks."""
        goal = GOAL_R if quantity.startswith("r_value") else GOAL_STRESS
        return abs(self.misses[quantity]) <= max(goal, HALF_90 * self.floors[quantity])

    def covered(self, quantity: Quantity) -> bool:
        """Whether the 90 % interval holds the truth."""
        return abs(self.misses[quantity]) <= HALF_90 * self.deviations[quantity]

    def worst(self, start: str) -> str:
        """Largest miss of a kind of quantity, half its interval and its floor."""
        names = [name for name in self.misses if name.startswith(start)]
        name = max(names, key=lambda one: abs(self.misses[one]))
        return (
            f"{self.misses[name]:+.3f} | {HALF_90 * self.deviations[name]:.3f} | "
            f"{HALF_90 * self.floors[name]:.3f}"
        )

    def row(self) -> str:
        """Return a line of the table."""
        met = "yes" if all(map(self.met, self.misses)) else "**no**"
        held = sum(map(self.covered, self.misses))
        return (
            f"| {self.case} | {self.layout} | {self.seed} | {self.worst('r_value')} | "
            f"{self.worst('stress')} | {met} | {held}/{len(self.misses)} | {self.rms:.2f} | "
            f"{self.words} |"
        )


def case_of(name: str, campaign: Path = CAMPAIGN) -> Case:
    """Return a published or typical sheet; its hardening is known from a plain tensile test."""
    alloy = ALLOYS[name]
    document = load(Campaign, campaign).model_dump(mode="json", exclude_unset=True)
    document["material"] |= {
        "exponent": alloy.exponent,
        "youngs_modulus_mpa": alloy.youngs_modulus_mpa,
        "hardening": alloy.hardening.model_dump(mode="json"),
    }
    document["specimens"] |= {"end_displacement_mm": ENDS_MM[name]}
    document["validation"] |= {"mesh_refinement": MESH_REFINEMENT}
    made = parse(Campaign, document, name)
    named, _ = yield_parameters(alloy, made.material.exponent)
    return Case(name, made, np.array([named[key] for key in made.material.parameters]))


def travel(
    case: Case, shots: tuple[Shot, ...], bias: MeshBias, folder: Path, layout: str, seed: int
) -> Came:
    """Write files, import them, examine; raises ContractError, Unsimulated."""
    number = list(LAYOUTS).index(layout)
    machines = list(MACHINES)
    series = write_series(
        folder,
        shots,
        layout=layout,
        machine=machines[(number + seed) % len(machines)],
        tensile_axis="xy"[(number + seed) % 2],  # type: ignore[arg-type]
    )
    began = time.perf_counter()
    path = write_description(series)
    measurement, _ = import_series(load_series(path), case.name, path.name, folder, case.campaign)
    imported = time.perf_counter()
    found = examine(case.campaign, on_mesh(measurement, bias))
    seconds = imported - began, time.perf_counter() - imported
    return came(case, layout, seed, found, seconds)


def came(case: Case, layout: str, seed: int, found: Examined, seconds: tuple[float, float]) -> Came:
    """Compare an examined answer with the truth."""
    told, true = found.examination, case.true
    misses = {name: value - true[name] for name, (value, _) in told.quantities.items()}
    suspects = "; ".join(
        f"{one.words} ({one.probability:.2f}, {one.sigmas:.1f} sigma)" for one in told.suspects[:2]
    )
    return Came(
        case=case.name,
        layout=layout,
        seed=seed,
        misses=misses,
        deviations={name: deviation for name, (_, deviation) in told.quantities.items()},
        floors=dict(found.floors),
        rms=told.rms,
        words=suspects or "-",
        seconds=seconds,
    )


HEAD = (
    "| sheet | layout | seed | error of r | +- | floor | error of stress | +- | floor | met | "
    "covered | rms | examined |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def totals(rows: Iterable[Came], refused: int) -> str:
    """Sum up: series whose every quantity meets the goal, and the share of intervals that hold."""
    done = list(rows)
    met = sum(all(map(one.met, one.misses)) for one in done)
    quantities = [(one, name) for one in done for name in one.misses]
    near = sum(one.met(name) for one, name in quantities)
    held = sum(one.covered(name) for one, name in quantities)
    count = max(len(quantities), 1)
    scores = [one.misses[name] / one.deviations[name] for one, name in quantities]
    return (
        f"{met} of {len(done) + refused} series have all values within the goal or the floor, "
        f"{near / count:.1%} of their {count} values; 90 % intervals hold {held / count:.1%} of "
        f"them (errors are {np.sqrt(np.mean(np.square(scores))):.2f} deviations rms); {refused} "
        "series were not answered"
    )


def main() -> None:
    """Print the table and its totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheets", nargs="+", default=SHEETS, choices=SHEETS)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    given = parser.parse_args()
    rows, refused = list[Came](), 0
    print(HEAD)
    for name in given.sheets:
        case = case_of(name)
        bias = mesh_bias_of(case.campaign)
        for seed in given.seeds:
            shots = shoot_series(case.sheet, case.campaign.specimens, seed=seed)
            for layout in given.layouts:
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        rows.append(travel(case, shots, bias, Path(folder), layout, seed))
                    except (ContractError, Unsimulated) as error:
                        refused += 1
                        print(f"| {name} | {layout} | {seed} | refused: {error} |", flush=True)
                    else:
                        print(rows[-1].row(), flush=True)
    if rows:
        print(f"\n{totals(rows, refused)}")
        seconds = np.mean([one.seconds for one in rows], axis=0)
        print(f"a series is imported in {seconds[0]:.1f} s and examined in {seconds[1]:.1f} s")


if __name__ == "__main__":
    main()
