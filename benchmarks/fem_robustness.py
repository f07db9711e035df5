"""Random sheets of the widest box: whether every record ends with a status and a reason.

    python -m benchmarks.fem_robustness [--records N] [--reference N] [--docs FOLDER] [--json FILE]

Draws the seven mechanical values uniformly from the widest box, solves the sheets as one shard of
the demo campaign in a process of its own, and a few of them with the reference solver, too. Prints
the failure rate by region and the peak memory, and writes JSON; with --docs also the page
fem-robustness.md and its figure. Ends with status 1 if a record is unexplained or the memory goal
is missed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.robustness.regions import AXES, BINS, LABELS, Regions, split
from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import RecordStatus, ShardFields, publish
from hpc_jobs.fem.materials.yield_locus import alpha_from_tests
from hpc_jobs.fem.native.build import build
from hpc_jobs.fem.records.shard_file import ShardFile, read_shard

ROOT = Path(__file__).parents[1]
MEMORY_GOAL_MB = 500.0
SEED = 343
OVERRIDES = {"solver": "native"}

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheets:
    """Points of the box: n of them have parameters, `unsolved` more have none."""

    tests: FloatArray  # (n, 7), in the order of MechanicalBox
    parameters: FloatArray  # (n, 8)
    unsolved: int


def draw_sheets(campaign: Campaign, count: int) -> Sheets:
    """Draw points uniformly until that many have an alpha, physical or not."""
    low, high = np.array([getattr(campaign.design.box, axis) for axis in AXES]).T
    tests = np.random.default_rng(SEED).uniform(low, high, (3 * count, len(AXES)))
    stresses = np.hstack((np.ones((len(tests), 1)), tests[:, :3]))
    alpha, solved = alpha_from_tests(stresses, tests[:, 3:], campaign.material.exponent)
    rows = np.flatnonzero(solved)[:count]
    return Sheets(
        tests=tests[rows], parameters=alpha[rows], unsolved=int((~solved[: rows[-1]]).sum())
    )


def solve(root: Path, parameters: FloatArray, overrides: dict[str, Any]) -> tuple[float, float]:
    """Publish one shard; returns CPU seconds and this process's peak memory in MB."""
    from hpc_jobs.fem.records.shards import Assignment, solve_shard

    campaign, rows = demo(overrides), len(parameters)
    frozen = FrozenCampaign(run_id="robustness", campaign=campaign, code_sha256="0" * 64)
    work = Assignment(
        round=0,
        index=0,
        parameters=parameters,
        sheet=np.zeros((rows, 0)),  # one sheet: no coordinates
        is_test=np.zeros(rows, dtype=np.bool_),
        point=np.arange(rows),
        level=np.zeros(rows, dtype=np.uint8),
    )
    start = time.process_time()
    solve_shard(RunFolder(root), frozen, work, lambda done, total: None)
    return time.process_time() - start, peak_memory_mb()


def peak_memory_mb() -> float:
    """Largest resident memory of this program; that of rusage is also its parent's, before exec."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


def demo(overrides: dict[str, Any]) -> Campaign:
    """Return the demo campaign, whose box is the widest."""
    return load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", overrides)


def solved_apart(
    folder: Path, parameters: FloatArray, overrides: dict[str, Any]
) -> tuple[ShardFile, float, float]:
    """Solve in a fresh process, so that its memory is nobody else's; shard, CPU s, peak MB."""
    with get_context("spawn").Pool(1) as pool:
        seconds, megabytes = pool.apply(solve, (folder, parameters, overrides))
    return read_shard(RunFolder(folder).shard(0, 0)), seconds, megabytes


def unexplained(shard: ShardFile) -> int:
    """Count records whose status is unknown, or that failed without a reason or kept numbers."""
    failed = ~shard.ended("ok")
    empty = shard.columns[ShardFields.REASON] == b""
    known = np.isin(shard.columns[ShardFields.STATUS], range(len(RecordStatus.NAMES)))
    return int((failed & empty).sum() + (~failed & ~empty).sum() + (~known).sum())


def measure(count: int, sample: int) -> tuple[Regions, dict[str, Any]]:
    """Solve the sheets natively, and the first few with the reference."""
    campaign = demo(OVERRIDES)
    sheets = draw_sheets(campaign, count)
    with tempfile.TemporaryDirectory() as folder:
        shard, seconds, memory = solved_apart(Path(folder, "native"), sheets.parameters, OVERRIDES)
        reference, _, reference_memory = solved_apart(
            Path(folder, "reference"),
            sheets.parameters[:sample],
            OVERRIDES | {"solver": "reference"},
        )
    regions = split(sheets.tests, shard)
    ours = [shard.status_names[code] for code in shard.columns[ShardFields.STATUS][:sample]]
    theirs = [reference.status_names[code] for code in reference.columns[ShardFields.STATUS]]
    pairs = Counter(zip(ours, theirs, strict=True))
    return regions, {
        "records": count,
        "without_alpha": sheets.unsolved,
        "mesh": campaign.specimens.mesh.level,
        "elements": campaign.specimens.mesh.elements,
        "end_displacement_mm": campaign.specimens.end_displacement_mm,
        "by_status": regions.by_status,
        "unexplained": unexplained(shard) + unexplained(reference),
        "records_per_cpu_s": count / seconds,
        "peak_memory_mb": memory,
        "reference_records": sample,
        "reference_peak_memory_mb": reference_memory,
        "reference_differs": {f"{a} -> {b}": n for (a, b), n in pairs.items() if a != b},
        "worst_region": regions.named(*regions.worst),
        "worst_rate": float(regions.rates.max()),
        "rates": {axis: row.tolist() for axis, row in zip(AXES, regions.rates, strict=True)},
        "edges": {axis: row.tolist() for axis, row in zip(AXES, regions.edges, strict=True)},
    }


def report(regions: Regions, found: dict[str, Any]) -> str:
    """Lay the figures out as a page of Markdown."""
    count, failed = found["records"], found["records"] - found["by_status"].get("ok", 0)
    drawn = count + found["without_alpha"]
    differs = ", ".join(f"{n} {pair}" for pair, n in found["reference_differs"].items()) or "none"
    axis, place = regions.worst
    causes = ", ".join(
        f"{name} {100 * rates[axis, place]:.2f} %" for name, rates in regions.by_region.items()
    )
    lines = [
        "# FEM engine: what fails, and where",
        f"Written by `python -m benchmarks.fem_robustness`: {drawn:,} random points of the widest "
        f"box, of which {found['without_alpha']:,} have no α (the eight equations of the tests "
        f"have no solution) and {count:,} are records of the demo campaign, "
        f"{found['elements']} elements per specimen, drawn to {found['end_displacement_mm']:g} mm.",
        "| status | records | share |\n|---|---:|---:|\n"
        + "\n".join(
            f"| {name} | {n:,} | {100 * n / count:.2f} % |"
            for name, n in found["by_status"].items()
        ),
        f"- Unexplained records: **{found['unexplained']}**.\n"
        f"- Failed: {failed:,} of {count:,}, {100 * failed / count:.2f} %. Worst region: "
        f"**{found['worst_region']}**, {100 * found['worst_rate']:.2f} % ({causes or 'none'}).\n"
        f"- Peak memory of the process: {found['peak_memory_mb']:.0f} MB native with all records "
        f"in one shard, {found['reference_peak_memory_mb']:.0f} MB reference; goal "
        f"{MEMORY_GOAL_MB:.0f} MB.\n"
        f"- Of the first {found['reference_records']} records, status native -> reference where "
        f"they differ: {differs}.",
        "![failure rates by region](fem-robustness.png)",
        "Failure rate by fifths of each mechanical value, from its lowest to its highest:",
        "| |" + "".join(f" {place + 1}. fifth |" for place in range(BINS))
        + "\n|---|" + "---:|" * BINS + "\n"
        + "\n".join(
            f"| {label} |" + "".join(f" {100 * rate:.2f} % |" for rate in row)
            for label, row in zip(LABELS, regions.rates, strict=True)
        ),
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def main() -> None:
    """Solve, print, write; status 1 if a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--reference", type=int, default=100, help="records solved by it, too")
    parser.add_argument("--docs", type=Path, help="where the page goes, if anywhere")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/fem_robustness.json"))
    options = parser.parse_args()
    build(environment=dict(os.environ))
    regions, found = measure(options.records, min(options.reference, options.records))
    text = report(regions, found)
    sys.stdout.write(text)
    if options.docs:
        from benchmarks.robustness.figure import draw

        draw(options.docs / "fem-robustness.png", regions)
        with publish(options.docs / "fem-robustness.md") as temporary:
            temporary.write_text(text)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    if found["unexplained"]:
        sys.exit(f"error: {found['unexplained']} records are unexplained")
    if found["peak_memory_mb"] > MEMORY_GOAL_MB:
        sys.exit(f"error: {found['peak_memory_mb']:.0f} MB, the goal is {MEMORY_GOAL_MB:.0f} MB")


if __name__ == "__main__":
    main()
