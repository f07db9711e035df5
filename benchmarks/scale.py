"""What a record costs from 60,000 to 4,940,000 of them: packing, hashing, an epoch, evaluation.

    python -m benchmarks.scale [--full] [--records N ...] [--only PART ...] [--workspace FOLDER]
                               [--minutes M] [--json FILE]

Shards of made-up records of the production size (1,080 strains, 30 forces, 8 targets) are packed
as a campaign packs them, hashed, read for an epoch by `stream`, and an untrained network is judged
on them as a trained one is; each step in a process of its own, on one thread. Parts:

- sizes: cost a record, peak anonymous memory, and bytes read and written over the dataset's size;
- limit: the largest of 1,000,000 records in a control group of 2 GiB, page cache included, beside
  the same without a limit, both from a cold page cache; epochs take turns, and the median of
  their ratios counts; needs the right to make a group;
- rounds: ten rounds of 20,000 records, each packed when it is there;
- kills: packing killed at random moments and begun again, beside one that was left alone.

Hashing and epochs begin with a cold page cache, whatever the size: a training's node has not
written what it reads. Costs a record are processor seconds, which other work on the machine moves
little; the parts with a limit compare wall seconds. Prints goals met or not. Each measurement is
kept in the JSON file and not made again: with --minutes and a --workspace that stays, a long run
goes in pieces.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.kept import Kept
from benchmarks.packing import goals
from benchmarks.packing.measured import Cost, forget, limited, step
from benchmarks.packing.records import campaign_of, fill_round, freeze
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import packing_elements
from hpc_jobs.contract.records import sha256_of

SIZES, FULL = (60_000, 250_000, 1_000_000), 4_940_000
LIMIT_RECORDS, LIMIT_MIB = 1_000_000, 2048
EPOCHS = 7
"""With and without a limit, each."""
ROUNDS, ROUND_RECORDS = 10, 20_000
KILLS, KILLED_RECORDS, KILLED_MEMORY = 20, 30_000, 512
FREE = 20e9
"""Bytes that stay free on the disk, else shards go once they are dealt."""
AFTER = (("hashing", "verify"), ("epoch", "epoch"), ("evaluation", "evaluate"))
COLD = ("verify", "epoch")


Measure = Callable[..., Cost]
"""A step's name and options to what it cost."""


def made(folder: Path, records: int) -> RunFolder[Path]:
    """Make a run whose first round is solved, as far as it is not there."""
    run = RunFolder(folder)
    fill_round(run, 0, records)
    freeze(run, campaign_of(records))
    return run


def pack(run: RunFolder[Path], records: int, measure: Measure, *, spare: bool = False) -> Cost:
    """Pack as a campaign does: by arrays where they pay, here one element after the other.

    spare: remove the shards once they are dealt, for want of disk.
    """
    elements = packing_elements(campaign_of(records), records)
    costs = []
    for name in ("deal", "pack"):
        for k in range(elements):
            costs.append(measure(name, f"--element={k}", f"--elements={elements}"))
        if spare and name == "deal":
            for shard in run.shards(0).rglob("*.h5"):
                shard.unlink()
    total = measure("publish")
    for cost in costs:
        total = cost + total
    return total


def size_of(folder: Path) -> float:
    """Megabytes in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def sizes(workspace: Path, counts: list[int], kept: Kept) -> None:
    """Measure every step at every size."""
    for records in counts:
        kept.once(f"sizes {records}", partial(_size, workspace, records, kept))


def _size(workspace: Path, records: int, kept: Kept) -> dict[str, Any]:
    run = RunFolder(workspace / f"run-{records}")

    def measure(name: str, *options: str) -> Cost:
        key = " ".join((str(records), name, *options[:1]))
        if name in COLD:
            forget(run.dataset)
        return Cost(**kept.once(key, lambda: step(name, run.root, *options).told()))

    if not any(name.startswith(f"{records} ") for name in kept.found):  # nothing measured yet
        shutil.rmtree(run.dataset, ignore_errors=True)  # of a kept workspace
        made(run.root, records)
    needed = 2e6 * size_of(run.shards(0))
    spare = shutil.disk_usage(workspace).free < needed + FREE
    costs = {"packing": pack(run, records, measure, spare=spare)}
    costs |= {name: measure(done) for name, done in AFTER}
    dataset = size_of(run.dataset)
    if records != LIMIT_RECORDS:
        shutil.rmtree(run.root)
    return {
        "dataset_mb": dataset,
        "steps": {name: cost.told() for name, cost in costs.items()},
        "us_a_record": {name: 1e6 * cost.cpu_s / records for name, cost in costs.items()},
        "read_over_size": costs["packing"].read_mb / dataset,
        "written_over_size": costs["packing"].written_mb / dataset,
    }


def row(records: int, one: dict[str, Any]) -> str:
    """Lay one size out."""
    parts = [
        f"{name} {one['us_a_record'][name]:6.1f} us {one['steps'][name]['wall_s']:6.1f} s "
        f"{one['steps'][name]['anonymous_mb']:5.0f} MB"
        for name in goals.STEPS
    ]
    moved = f"read {one['read_over_size']:.2f}, written {one['written_over_size']:.2f} of the size"
    return f"{records:>9,}  " + " | ".join(parts) + f" | {moved}"


def limit(workspace: Path, records: int, mib: int, kept: Kept) -> None:
    """Pack and read with and without a limit, both from a cold page cache."""
    run = made(workspace / f"run-{records}", records)
    for limit in (None, mib):
        kept.once(f"limit {records} {limit or 'free'}", partial(_packed, run, records, limit))
    for turn in range(EPOCHS):
        kept.once(f"epochs {records} {mib} {turn}", partial(_epochs, run, mib, turn))


def _packed(run: RunFolder[Path], records: int, mib: int | None) -> dict[str, float]:
    """Pack anew, in a control group or without one."""
    shutil.rmtree(run.dataset, ignore_errors=True)
    forget(run.root)
    with limited(mib << 20) if mib else nullcontext() as group:
        cost = pack(run, records, lambda name, *told: step(name, run.root, *told, group=group))
    return {"wall": cost.wall_s, "CPU": cost.cpu_s}


def _epochs(run: RunFolder[Path], mib: int, turn: int) -> dict[str, dict[str, float]]:
    """Read an epoch in a control group and without one; every other turn begins with it."""
    costs = {}
    for limit in (None, mib) if turn % 2 == 0 else (mib, None):
        forget(run.dataset)
        with limited(limit << 20) if limit else nullcontext() as group:
            cost = step("epoch", run.root, group=group)
        costs["limited" if limit else "free"] = {"wall": cost.wall_s, "CPU": cost.cpu_s}
    return costs


def rounds(workspace: Path) -> dict[str, Any]:
    """Grow a dataset by rounds of one size."""
    run = RunFolder(workspace / "rounds")
    freeze(run, campaign_of(ROUND_RECORDS))
    costs = []
    for number in range(ROUNDS):
        fill_round(run, number, ROUND_RECORDS)
        costs.append(step("publish", run.root))
    shutil.rmtree(run.root)
    return {
        "cpu_s": [cost.cpu_s for cost in costs],
        "wall_s": [cost.wall_s for cost in costs],
        "moved_mb": [cost.read_mb + cost.written_mb for cost in costs],
    }


def kills(workspace: Path, seed: int) -> dict[str, Any]:
    """Kill packing again and again; the files must be those of one that was left alone."""
    run = made(workspace / "kills", KILLED_RECORDS)
    command = [sys.executable, "-m", "benchmarks.packing.steps", "publish", str(run.root)]
    command += [f"--memory={KILLED_MEMORY}"]  # little, so that it is dealt to disk
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    whole, expected = time.perf_counter() - began, _hashes(run)
    chosen, done = random.Random(seed), 0
    while done < KILLS:
        if run.dataset_manifest.exists():
            shutil.rmtree(run.dataset)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(chosen.uniform(0.1, 1) * whole)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            done += 1
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    same = _hashes(run) == expected
    shutil.rmtree(run.root)
    return {"seed": seed, "killed": done, "identical": same}


def _hashes(run: RunFolder[Path]) -> dict[str, str]:
    files = sorted(path for path in run.dataset.rglob("*") if path.is_file())
    return {path.name: sha256_of(path) for path in files}


def judged(kept: Kept) -> tuple[list[str], list[goals.Goal]]:
    """Lay out what was measured so far, and compare it with the goals."""
    found = kept.found
    many = sorted(
        (int(name.split()[1]), one) for name, one in found.items() if name.startswith("sizes ")
    )
    lines = [row(records, one) for records, one in many]
    compared = goals.of_sizes([one for _, one in many]) if many else []
    for name, within in found.items():
        told = name.split()
        if told[0] != "limit" or told[2] == "free":
            continue
        without = found[f"limit {told[1]} free"]
        turns = [one for key, one in found.items() if key.startswith(f"epochs {told[1]} {told[2]}")]
        lines += goals.limit_lines(told[1], told[2], (without, within), turns)
        ratios = {"packing": within["wall"] / without["wall"]}
        if turns:
            ratios["epoch"] = median(goals.ratios_of(turns, "wall"))
        compared += goals.of_limit(ratios, f"{int(told[2]) / 1024:g} GiB")
    if rounds := found.get("rounds"):
        lines.append("rounds, CPU s: " + " ".join(f"{one:.1f}" for one in rounds["cpu_s"]))
        compared += goals.of_rounds(rounds["cpu_s"])
    if kills := found.get("kills"):
        compared += goals.of_kills(kills["killed"], kills["identical"])
    return lines, compared


def main() -> None:
    """Measure, print, write."""
    told = arguments().parse_args()
    counts = told.records or [*SIZES, *[FULL] * told.full]
    kept = Kept(told.json, told.minutes)
    with tempfile.TemporaryDirectory() as folder:
        workspace = told.workspace or Path(folder)
        workspace.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Callable[[], Any]] = {
            "sizes": lambda: sizes(workspace, counts, kept),
            "limit": lambda: limit(
                workspace, min(LIMIT_RECORDS, max(counts)), told.limit_mib, kept
            ),
            "rounds": lambda: kept.once("rounds", lambda: rounds(workspace)),
            "kills": lambda: kept.once("kills", lambda: kills(workspace, told.seed)),
        }
        for name in told.only or parts:
            parts[name]()
    lines, compared = judged(kept)
    sys.stdout.write("\n".join(lines) + "\n")
    for one in compared:
        word = "met" if one.met else "NOT MET"
        sys.stdout.write(f"{one.name:54}{one.value:8.2f}   goal {one.most:5.2f}   {word}\n")


def arguments() -> argparse.ArgumentParser:
    """Sizes, parts and places."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--full", action="store_true", help=f"up to {FULL:,} records")
    parser.add_argument("--records", type=int, nargs="+", help="sizes instead of the usual ones")
    parser.add_argument("--only", nargs="+", choices=("sizes", "limit", "rounds", "kills"))
    parser.add_argument("--workspace", type=Path, help="where shards are made; else temporary")
    parser.add_argument("--seed", type=int, default=16, help="of the moments of the kills")
    parser.add_argument("--limit-mib", type=int, default=LIMIT_MIB, help="of the control group")
    parser.add_argument("--minutes", type=float, help="begin no measurement after so many")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/scale.json"))
    return parser


if __name__ == "__main__":
    main()
