"""What a record costs from 60,000 to 4,940,000 of them: packing, hashing, an epoch, evaluation.

    python -m benchmarks.scale [--full] [--records N ...] [--only PART ...] [--workspace FOLDER]

Shards of made-up records of the production size (1,080 strains, 30 forces, 8 targets) are packed
as a campaign packs them, hashed, read for an epoch by `stream`, and an untrained network is judged
on them as a trained one is; each step in a process of its own, on one thread. Parts:

- sizes: cost a record, peak anonymous memory, and bytes read and written over the dataset's size;
- limit: the largest of 1,000,000 records in a control group of 2 GiB, page cache included, beside
  the same without a limit, both from a cold page cache; needs the right to make a group;
- rounds: ten rounds of 20,000 records, each packed when it is there;
- kills: packing killed at random moments and begun again, beside one that was left alone.

Costs a record are processor seconds, which other work on the machine moves little; the parts with
a time limit compare wall seconds. Prints goals met or not, writes JSON.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.packing.measured import Cost, forget, limited, step
from benchmarks.packing.records import campaign_of, fill_round, freeze
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import packing_elements
from hpc_jobs.contract.records import sha256_of

SIZES, FULL = (60_000, 250_000, 1_000_000), 4_940_000
LIMIT_RECORDS, LIMIT_BYTES = 1_000_000, 2 << 30
ROUNDS, ROUND_RECORDS = 10, 20_000
KILLS, KILLED_RECORDS, KILLED_MEMORY = 20, 30_000, 512
STEPS = ("packing", "hashing", "epoch", "evaluation")
GROWTH, MOVED = 1.2, 2.5
SLOWER = {"packing": 1.3, "epoch": 1.1}
TENTH = 1.3


def made(folder: Path, records: int) -> RunFolder[Path]:
    """Make a run whose first round is solved."""
    run = RunFolder(folder)
    if not run.campaign.exists():
        fill_round(run, 0, records)
        freeze(run, campaign_of(records))
    return run


def pack(run: RunFolder[Path], records: int, **where: Any) -> Cost:
    """Pack as a campaign does: by arrays where they pay, here one element after the other."""
    elements = packing_elements(campaign_of(records), records)
    costs = [
        step(name, run.root, f"--element={k}", f"--elements={elements}", **where)
        for name in ("deal", "pack")
        for k in range(elements)
    ]
    total = step("publish", run.root, **where)
    for cost in costs:
        total = cost + total
    return total


def size_of(folder: Path) -> float:
    """Megabytes in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def sizes(workspace: Path, counts: list[int]) -> dict[str, Any]:
    """Measure every step at every size."""
    found: dict[str, Any] = {}
    for records in counts:
        run = made(workspace / f"run-{records}", records)
        shutil.rmtree(run.dataset, ignore_errors=True)
        costs = {"packing": pack(run, records)}
        for name, done in (("hashing", "verify"), ("epoch", "epoch"), ("evaluation", "evaluate")):
            costs[name] = step(done, run.root)
        dataset = size_of(run.dataset)
        found[str(records)] = {
            "dataset_mb": dataset,
            "steps": {name: cost.told() for name, cost in costs.items()},
            "us_a_record": {name: 1e6 * cost.cpu_s / records for name, cost in costs.items()},
            "read_over_size": costs["packing"].read_mb / dataset,
            "written_over_size": costs["packing"].written_mb / dataset,
        }
        sys.stdout.write(row(records, found[str(records)]) + "\n")
        sys.stdout.flush()
        if records != LIMIT_RECORDS:
            shutil.rmtree(run.root)
    return found


def row(records: int, one: dict[str, Any]) -> str:
    """Lay one size out."""
    parts = [
        f"{name} {one['us_a_record'][name]:6.1f} us {one['steps'][name]['wall_s']:6.1f} s "
        f"{one['steps'][name]['anonymous_mb']:5.0f} MB"
        for name in STEPS
    ]
    moved = f"read {one['read_over_size']:.2f}, written {one['written_over_size']:.2f} of the size"
    return f"{records:>9,}  " + " | ".join(parts) + f" | {moved}"


def limit(workspace: Path, records: int) -> dict[str, Any]:
    """Pack and read with and without a limit, both from a cold page cache."""
    run = made(workspace / f"run-{records}", records)
    seconds: dict[str, dict[str, float]] = {}
    try:
        for name in ("free", "limited"):
            shutil.rmtree(run.dataset, ignore_errors=True)
            forget(run.root)
            if name == "free":
                costs = pack(run, records), _cold_epoch(run)
            else:
                with limited(LIMIT_BYTES) as group:
                    costs = pack(run, records, group=group), _cold_epoch(run, group=group)
            seconds[name] = {"packing": costs[0].wall_s, "epoch": costs[1].wall_s}
    except OSError as error:
        return {"error": f"no control group could be made: {error}"}
    ratios = {name: seconds["limited"][name] / seconds["free"][name] for name in SLOWER}
    return {"records": records, "seconds": seconds, "ratios": ratios}


def _cold_epoch(run: RunFolder[Path], **where: Any) -> Cost:
    forget(run.dataset)
    return step("epoch", run.root, **where)


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
    for _ in range(KILLS):
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


def verdicts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare with the goals."""
    goals: list[tuple[str, float, float]] = []
    if many := list(found.get("sizes", {}).values()):
        for name in STEPS:
            costs = [one["us_a_record"][name] for one in many]
            goals.append(
                (f"{name}: dearest record over that of the smallest", max(costs) / costs[0], GROWTH)
            )
        peaks = [max(one["steps"][name]["anonymous_mb"] for name in STEPS) for one in many]
        goals.append(
            ("peak anonymous memory over that of the smallest", max(peaks) / peaks[0], GROWTH)
        )
        for way in ("read", "written"):
            worst = max(one[f"{way}_over_size"] for one in many)
            goals.append((f"bytes {way} to pack over the dataset's size", worst, MOVED))
    if ratios := found.get("limit", {}).get("ratios"):
        for name, most in SLOWER.items():
            goals.append((f"{name} in 2 GiB over without a limit", ratios[name], most))
    if "rounds" in found:
        costs = found["rounds"]["cpu_s"]
        goals.append(("tenth round over second", costs[-1] / costs[1], TENTH))
    judged = [
        {"name": name, "value": value, "goal": most, "met": value <= most}
        for name, value, most in goals
    ]
    if "kills" in found:
        same, killed = found["kills"]["identical"], found["kills"]["killed"]
        judged.append(
            {
                "name": f"killed {killed} times: byte-identical",
                "value": float(same),
                "goal": 1,
                "met": same,
            }
        )
    return judged


def report(found: dict[str, Any], judged: list[dict[str, Any]]) -> str:
    """Lay the figures out."""
    lines = [row(int(records), one) for records, one in found.get("sizes", {}).items()]
    if "limit" in found:
        lines.append(f"limit: {json.dumps(found['limit'])}")
    if "rounds" in found:
        lines.append("rounds, CPU s: " + " ".join(f"{one:.1f}" for one in found["rounds"]["cpu_s"]))
    for one in judged:
        word = "met" if one["met"] else "NOT MET"
        lines.append(f"{one['name']:54}{one['value']:8.2f}   goal {one['goal']:5.2f}   {word}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--full", action="store_true", help=f"up to {FULL:,} records")
    parser.add_argument("--records", type=int, nargs="+", help="sizes instead of the usual ones")
    parser.add_argument("--only", nargs="+", choices=("sizes", "limit", "rounds", "kills"))
    parser.add_argument("--workspace", type=Path, help="where shards are made; else temporary")
    parser.add_argument("--seed", type=int, default=16, help="of the moments of the kills")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/scale.json"))
    told = parser.parse_args()
    counts = told.records or [*SIZES, *[FULL] * told.full]
    with tempfile.TemporaryDirectory() as folder:
        workspace = told.workspace or Path(folder)
        parts: dict[str, Callable[[], Any]] = {
            "sizes": lambda: sizes(workspace, counts),
            "limit": lambda: limit(workspace, min(LIMIT_RECORDS, max(counts))),
            "rounds": lambda: rounds(workspace),
            "kills": lambda: kills(workspace, told.seed),
        }
        found = {name: part() for name, part in parts.items() if name in (told.only or parts)}
    judged = verdicts(found)
    sys.stdout.write(report(found, judged) + "\n")
    told.json.parent.mkdir(parents=True, exist_ok=True)
    told.json.write_text(json.dumps(found | {"goals": judged}, indent=1) + "\n")


if __name__ == "__main__":
    main()
