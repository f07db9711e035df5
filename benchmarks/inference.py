"""How many records a second trained networks answer, by runtime, and how near the floor they are.

    python -m benchmarks.inference [--records N] [--only NAME ...] [--seconds S] [--json FILE]

The demo's networks, and one that takes forces too, are trained by the project's own code on cached
records of its production mesh (kept, and trained once), then asked about the frozen off-grid test
set with its noise. A runtime counts only if it agrees there with eager float32, to the tolerance of
its precision; its error over the Bayes floor is printed beside its speed. Runtimes take turns. Wall
time counts, since runtimes differ in how they use threads, and the best turn of each. Answers begin
and end in the host's memory; on a GPU those without transfers come beside.

On a GPU everything runs there, and a training from the `device` source is timed by the profiler:
the share of time in which kernels run. On a processor the same code gives the operators' share.
Prints tables and goals, met or not, and writes JSON.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.methods.floor import Measured, floor, surrogate_of
from benchmarks.methods.networks import packed, trained
from benchmarks.methods.records import Records, sobol_records
from benchmarks.serving import busy
from benchmarks.serving.rates import Inputs, take_turns
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.design.sobol import TEST, TRAIN
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.learning.models.runtimes import (
    AGREEMENT,
    RUNTIMES,
    Disagrees,
    Predict,
    Subject,
    check_agreement,
    missing,
    precision,
)
from hpc_jobs.learning.models.trained_model import TrainedModel
from hpc_jobs.learning.training.team import Team

BESIDE = {"name": "mlp-forces", "forces": True}  # the demo's own MLP but for that
BATCHES = (1, 1024, 16_384)
NEAR = 1.5  # times the floor: a network that answers fast must answer well, too
GOALS = {"cpu": 100_000, "cuda": 1_000_000}  # records a second; the first on two cores
BUSY_GOAL, BUSY_BATCH, BUSY_RECORDS = 0.9, {"cpu": 256, "cuda": 16_384}, 200_000


def setting(options: argparse.Namespace) -> tuple[Campaign, Records, Records]:
    """Campaign, training and test records."""
    campaign = load(Campaign, options.campaign)
    records = [
        sobol_records(options.cache / "records", campaign, stream, count, options.workers)
        for stream, count in ((TRAIN, options.records), (TEST, options.test))
    ]
    return campaign, records[0], records[1]


def inputs_of(model: TrainedModel, measured: Measured) -> Inputs:
    """Return what that network takes of a measurement."""
    return (measured.strains, measured.forces) if model.forces else (measured.strains,)


def ready(model: TrainedModel, measured: Measured, names: list[str], device: torch.device) -> Any:
    """Runtimes that are here and agree; and what is to be said of each."""
    inputs, runtimes, found = inputs_of(model, measured), dict[str, Predict](), dict[str, Any]()
    for name in names:
        if reason := missing(name, device):
            found[name] = {"left_out": reason}
            continue
        predict = RUNTIMES[name](Subject(model.module, device))
        try:
            off = check_agreement(model.module, predict, *inputs, precision=precision(name))
        except Disagrees as error:
            found[name] = {"left_out": str(error)}
            continue
        error = measured.error(predict(*inputs), model.card.scaler)
        found[name] = {"difference": off, "error": error}
        runtimes[name] = predict
    return runtimes, found


def answer(
    model: TrainedModel, measured: Measured, surrogate: Surrogate, options: argparse.Namespace
) -> dict[str, Any]:
    """All figures of one network."""
    runtimes, found = ready(model, measured, options.runtimes, options.device)
    least = floor(surrogate, measured, with_forces=model.forces)
    inputs = inputs_of(model, measured)
    rates = take_turns(runtimes, inputs, BATCHES, options.rounds, options.seconds)
    for name, by_batch in rates.items():
        found.setdefault(name, dict(found[name.partition(",")[0]]))["batches"] = by_batch
    for one in found.values():
        if "error" in one:
            one["over_floor"] = one["error"] / least
    facts = {"weights": model.card.parameters, "forces": model.forces, "floor": least}
    return facts | {"runtimes": found}


def table(found: Mapping[str, Any]) -> list[str]:
    """Lay the runtimes of all networks out."""
    heads = "".join(f"{f'batch {batch:,}':>31}" for batch in BATCHES)
    lines = [
        f"{found['device']}, {found['threads']} threads; records a second (best turn), p50 and p99 "
        "of a call in ms",
        f"{'':24}{heads}   over floor   off by",
    ]
    for network, one in found["networks"].items():
        lines.append(
            f"{network}: {one['weights']:,} weights; floor {1e3 * one['floor']:.3f} x 10^-3, with "
            f"{'force' if one['forces'] else 'strains alone'}"
        )
        for name, runtime in one["runtimes"].items():
            if "left_out" in runtime:
                lines.append(f"  {name:22}left out: {runtime['left_out']}")
                continue
            cells = "".join(
                f"{b['records_per_s']:13,.0f}{b['p50_ms']:9.3f}{b['p99_ms']:9.3f}"
                for b in runtime["batches"].values()
            )
            lines.append(
                f"  {name:22}{cells}{runtime['over_floor']:13.3f}{runtime['difference']:9.1e}"
            )
    kept = ", ".join(f"{limit:g} in {name}" for name, limit in AGREEMENT.items())
    return [*lines, f"off by: largest difference from eager float32, share of the range; {kept}"]


def verdict(found: Mapping[str, Any]) -> list[str]:
    """Compare with the goals."""
    kind, goal = found["device"].partition(" ")[0], GOALS[found["device"].partition(" ")[0]]
    fast = [
        (batch["records_per_s"], network, name, runtime["over_floor"])
        for network, one in found["networks"].items()
        for name, runtime in one["runtimes"].items()
        if "batches" in runtime and runtime["over_floor"] <= NEAR
        for batch in runtime["batches"].values()
    ]
    best = max(fast, default=(0.0, "none", "none", float("inf")))
    lines = [
        f"goal {goal:,} records/s within {NEAR} x the floor: {best[0]:,.0f} by {best[1]} with "
        f"{best[2]}, {best[3]:.3f} x the floor: {'met' if best[0] >= goal else 'MISSED'}"
    ]
    for network, one in found["training"].items():
        lines.append(
            f"training {network} from the device source, batches of {one['batch']:,}: "
            f"{one['records_per_s']:,.0f} records/s, {one['busy']:.1%} busy"
        )
    if kind == "cuda":
        best_busy = max(one["busy"] for one in found["training"].values())
        word = "met" if best_busy >= BUSY_GOAL else "MISSED"
        return [*lines, f"goal {BUSY_GOAL:.0%} busy: {best_busy:.1%}: {word}"]
    return [
        *lines,
        "no CUDA device here: busy is the operators' share of the time, not a GPU's; the goals of "
        f"{GOALS['cuda']:,} records/s and {BUSY_GOAL:.0%} busy were not tried",
    ]


def keep_busy(
    campaign: Campaign, train: Records, test: Records, options: argparse.Namespace
) -> dict[str, Any]:
    """Train the campaign's networks for some epochs; on a GPU on as many records as it needs."""
    kind = options.device.type
    if kind == "cuda":  # what they say does not matter for speed
        train = train.repeated(BUSY_RECORDS)
    run = packed(options.cache / "networks", campaign, train, test)
    specs = [s for s in campaign.training.networks if s.name in (options.networks or [s.name])]
    return {
        spec.name: busy.measure(
            run, campaign, spec, options.train_batch or BUSY_BATCH[kind], options.device
        )
        for spec in specs
    }


def main() -> None:
    """Train, measure, print, write."""
    options = arguments().parse_args()
    torch.set_num_threads(1)  # to train networks so small that threads only wait for each other
    campaign, train, test = setting(options)
    run = packed(options.cache / "networks", campaign, train, test)
    specs = [*campaign.training.networks]
    specs += [spec.model_copy(update=BESIDE) for spec in specs if spec.kind == "mlp"]
    if options.networks:
        specs = [spec for spec in specs if spec.name in options.networks]
    team = Team(device=options.device)
    models = [trained(run, campaign, spec, team) for spec in specs]
    torch.set_num_threads(options.threads)
    measured = Measured.of(campaign, test)
    surrogate = surrogate_of(campaign, train, models[0].card.scaler)
    kind = options.device.type
    found = {
        "device": f"cuda {torch.cuda.get_device_name()}" if kind == "cuda" else "cpu",
        "threads": options.threads,
        "records": len(train),
        "sha256": [train.sha256, test.sha256],
        "load": os.getloadavg()[0],
        "networks": {m.name: answer(m, measured, surrogate, options) for m in models},
        "training": keep_busy(campaign, train, test, options),
    }
    sys.stdout.write("\n".join([*table(found), *verdict(found)]) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


def arguments() -> argparse.ArgumentParser:
    """Options, all with defaults that do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    cuda = torch.cuda.is_available()
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--campaign", type=Path, default=Path("dags/campaigns/single_sheet.yaml"))
    parser.add_argument("--records", type=int, default=10_000, help="training records")
    parser.add_argument("--test", type=int, default=500, help="test records")
    parser.add_argument("--networks", nargs="+", help="only these: multitask_cnn mlp mlp-forces")
    parser.add_argument("--runtimes", nargs="+", choices=list(RUNTIMES), default=list(RUNTIMES))
    parser.add_argument("--device", type=torch.device, default="cuda" if cuda else "cpu")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each runtime")
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn")
    parser.add_argument("--threads", type=int, default=2, help="of torch and the runtimes")
    parser.add_argument("--workers", type=int, default=cores, help="processes that simulate")
    parser.add_argument("--train-batch", type=int, help="of the training that is timed")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/yieldloop")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/inference.json"))
    return parser


if __name__ == "__main__":
    main()
