"""What goes round: a known sheet, a virtual camera's files, the import, the examined answer.

    python -m benchmarks.round_trip [--sheets dp780 ...] [--seeds 1 2 3] [--folder FOLDER]
                                    [--layouts vic_3d ... | --all-layouts] [--table]

Every defect of a camera and a machine is on at its usual size (measurement.camera.defects), and the
description file says what a test house knows: files, unloaded frames, clocks' rates, sizes by a
calliper, the preload. Each row is one series: its largest errors of r-values and of stress ratios,
half the 90 % interval there, the floor (1.65 posterior deviations if nothing is grossly wrong), and
what the examination says. The goals: r within .03 and stress ratios within .01, or the floor if it
is larger, in 90 % of the series; and intervals that hold the truth in 85 to 95 %.

Layouts differ in their files alone: of one film all of them give the same measurement to a few per
cent of its noise (tests/unit/measurement/test_layouts_agree.py). So each series is written in one
layout, all layouts in turn, unless --layouts or --all-layouts asks for more.

A folder keeps imported measurements, and results as lines of series.jsonl: what is there is not
done again, so that a run may be stopped. --table prints what is there.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.trips.came import HEAD, Came, keep, kept, totals
from benchmarks.trips.cases import SHEETS, Case, case_of
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.identification.mesh_bias import MeshBias, mesh_bias_of
from hpc_jobs.identification.nuisances.bench import Unsimulated
from hpc_jobs.identification.nuisances.own_mesh import examine_freed
from hpc_jobs.measurement.camera.description import write_description
from hpc_jobs.measurement.camera.layouts import LAYOUTS
from hpc_jobs.measurement.camera.machine_file import MACHINES
from hpc_jobs.measurement.camera.series import Shot, shoot_series, write_series
from hpc_jobs.measurement.file import read_measurement, write_measurement
from hpc_jobs.measurement.importer import import_series
from hpc_jobs.measurement.measured import Measurement
from hpc_jobs.measurement.series import load_series


def planned(
    sheets: Sequence[str], seeds: Sequence[int], layouts: Sequence[str], *, each: bool
) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Sheet, seed and layouts of each film; `each`: all layouts of it, otherwise one in turn."""
    number = 0
    for seed in seeds:
        for sheet in sheets:
            yield sheet, seed, tuple(layouts) if each else (layouts[number % len(layouts)],)
            number += 1


def imported(
    case: Case, shots: tuple[Shot, ...], layout: str, seed: int, path: Path
) -> tuple[Measurement, float]:
    """Write a layout's files, import them, and keep that: the measurement, and seconds it took.

    Raises ContractError.
    """
    number, machines = list(LAYOUTS).index(layout) + seed, list(MACHINES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = write_series(
            folder,
            shots,
            layout=layout,
            machine=machines[number % len(machines)],
            tensile_axis="xy"[number % 2],  # type: ignore[arg-type]
        )
        description = write_description(series)
        began = time.process_time()
        made, _ = import_series(
            load_series(description), path.stem, description.name, folder, case.campaign
        )
        seconds = time.process_time() - began
    write_measurement(path, made)
    return made, seconds


def travel(
    case: Case, bias: MeshBias, shots: "Shots", series: tuple[str, str, int], folder: Path
) -> Came:
    """Import a series, unless its measurement is there, and examine it."""
    name, layout, seed = series
    path, taken = folder / f"{name}-{layout.replace('_', '-')}-{seed}.h5", 0.0
    try:
        if path.exists():
            measurement = read_measurement(path)
        else:
            measurement, taken = imported(case, shots(seed), layout, seed, path)
        began = time.process_time()
        found = examine_freed(case.campaign, measurement, bias).examined
    except (ContractError, Unsimulated) as error:
        return Came.not_answered(series, str(error))
    return Came.of(series, case.true, found, (taken, time.process_time() - began))


class Shots:
    """Films of one sheet; the last one is kept."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.last: tuple[int, tuple[Shot, ...]] | None = None

    def __call__(self, seed: int) -> tuple[Shot, ...]:
        """Film the sheet once more, or return that film."""
        if self.last is None or self.last[0] != seed:
            # A seed of one's own for each sheet: all of one seed would err alike
            own = len(SHEETS) * seed + SHEETS.index(self.case.name)
            self.last = seed, shoot_series(self.case.sheet, self.case.campaign.specimens, seed=own)
        return self.last[1]


def main() -> None:
    """Print the table and its totals."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sheets", nargs="+", default=SHEETS, choices=SHEETS)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--all-layouts", action="store_true", help="of every film")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, help="keeps measurements and results")
    parser.add_argument("--table", action="store_true", help="of what the folder holds, no more")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = run(given, folder)
    if rows:
        print(f"\n{totals(rows)}")


def run(given: argparse.Namespace, folder: Path) -> list[Came]:
    """Go through all series that are not done, print each, and return what is planned and done."""
    lines, began = folder / "series.jsonl", time.perf_counter()
    done = {row.key: row for row in kept(lines)}
    cases = {name: case_of(name) for name in given.sheets}
    shots = {name: Shots(case) for name, case in cases.items()}
    biases = dict[str, MeshBias]()
    each = given.all_layouts or len(given.layouts) < len(LAYOUTS)
    rows = []
    print(HEAD)
    for name, seed, layouts in planned(given.sheets, given.seeds, given.layouts, each=each):
        for layout in layouts:
            key = name, layout, seed
            if key not in done:
                if given.table or time.perf_counter() - began > given.seconds:
                    continue
                if name not in biases:
                    biases[name] = mesh_bias_of(cases[name].campaign)
                done[key] = travel(cases[name], biases[name], shots[name], key, folder)
                keep(done[key], lines)
            rows.append(done[key])
            print(done[key].row(), flush=True)
    return rows


if __name__ == "__main__":
    main()
