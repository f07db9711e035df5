"""How many records a second a network answers, by runtime, on this machine's processor.

    python -m benchmarks.inference [--model FOLDER] [--batch N] [--seconds S] [--json FILE]

Without --model, the networks of a campaign are asked with random weights: speed does not depend on
them. A runtime counts only if it agrees with eager float32 on noisy records of the campaign's kind,
or, with --model, on those around the model's input examples. Runtimes take turns, round after
round; wall time counts here, since runtimes differ in how they use threads. The answer is in
memory as numpy has it, so that transfers count too. Prints a table and writes JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.methods.records import Records, sobol_records
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.training import STORED_COMPONENTS
from hpc_jobs.design.sobol import TEST, TRAIN
from hpc_jobs.learning.data.facts import TargetScaler
from hpc_jobs.learning.data.spectrum import Spectra, spectrum_of
from hpc_jobs.learning.models.inverse_model import EXAMPLE, InverseModel
from hpc_jobs.learning.models.runtimes import BACKENDS, Disagrees, Predict, check_agreement, missing
from hpc_jobs.learning.models.trained_model import load_model

RECORDS = 250
GOAL = 100_000  # records a second on two cores
NOVELTY_COMPONENTS = 16

Strains = NDArray[np.float32]


def fresh_models(campaign: Campaign, train: Records) -> dict[str, InverseModel]:
    """Networks of a campaign, their inputs fitted, their weights random."""
    noise, logs = campaign.noise, np.log(train.forces)
    spectra = Spectra(
        strains=spectrum_of([train.strains], noise.strain, STORED_COMPONENTS),
        forces=spectrum_of([logs], noise.force_relative, logs.shape[1]),
    )
    scaler = TargetScaler(
        targets=tuple(campaign.targets),
        low=tuple(train.parameters.min(0).tolist()),
        high=tuple(train.parameters.max(0).tolist()),
    )
    models = {}
    for spec in campaign.training.networks:
        torch.manual_seed(0)
        model = InverseModel(spec, campaign.specimens.strain_shape, scaler, NOVELTY_COMPONENTS)
        model.network.fit(spectra)
        models[spec.name] = model.eval()
    return models


def chosen(options: argparse.Namespace) -> tuple[dict[str, InverseModel], Strains]:
    """Return the networks to ask and the noisy strains to compare them on."""
    rng = np.random.default_rng(1)
    if options.model:
        trained = load_model(options.model)
        examples = np.array(json.loads((options.model / EXAMPLE).read_text()), dtype=np.float32)
        strains = np.tile(examples, (RECORDS // len(examples), 1))
        noise, models = trained.card.noise_strain, {trained.name: trained.module}
    else:
        campaign = load(Campaign, options.campaign)
        train = sobol_records(options.cache, campaign, TRAIN, RECORDS)
        strains = sobol_records(options.cache, campaign, TEST, RECORDS).strains
        noise, models = campaign.noise.strain, fresh_models(campaign, train)
    noisy = strains + np.float32(noise) * rng.standard_normal(strains.shape, np.float32)
    return models, noisy


def turn(predict: Predict, batch: Strains, seconds: float) -> list[float]:
    """Seconds of each call, for a while."""
    spent, end = [], time.perf_counter() + seconds
    while not spent or time.perf_counter() < end:
        start = time.perf_counter()
        predict(batch)
        spent.append(time.perf_counter() - start)
    return spent


def compare(model: InverseModel, strains: Strains, options: argparse.Namespace) -> dict[str, Any]:
    """Throughput and latencies of every runtime that is here and agrees."""
    found: dict[str, Any] = {}
    ready: dict[str, Predict] = {}
    for name in options.backends:
        if reason := missing(name):
            found[name] = {"left_out": reason}
            continue
        predict = BACKENDS[name](model)
        try:
            found[name] = {"difference": check_agreement(model, predict, strains)}
        except Disagrees as error:
            found[name] = {"left_out": str(error)}
            continue
        ready[name] = predict
    repeats = -(-options.batch // len(strains))
    batch, single = np.tile(strains, (repeats, 1))[: options.batch], strains[:1]
    spent: dict[str, list[float]] = {name: [] for name in ready}
    alone: dict[str, list[float]] = {name: [] for name in ready}
    for predict in ready.values():  # the first calls compile and allocate
        predict(batch)
        predict(single)
    for _ in range(options.rounds):
        for name, predict in ready.items():
            spent[name] += turn(predict, batch, options.seconds)
            alone[name] += turn(predict, single, options.seconds / 4)
    for name in ready:
        found[name] |= {
            "records_per_s": options.batch / float(np.median(spent[name])),
            "p50_ms": 1e3 * float(np.median(spent[name])),
            "p99_ms": 1e3 * float(np.quantile(spent[name], 0.99)),
            "single_p50_ms": 1e3 * float(np.median(alone[name])),
            "single_p99_ms": 1e3 * float(np.quantile(alone[name], 0.99)),
        }
    return found


def report(found: Mapping[str, Any]) -> str:
    """Lay the figures out as a table."""
    lines = [
        f"records a second, batches of {found['batch']}, {found['threads']} threads; p50 and p99 "
        "of a batch and of a single record, ms"
    ]
    best = 0.0
    for network, backends in found["networks"].items():
        lines.append(f"{network}")
        for name, one in backends.items():
            if "left_out" in one:
                lines.append(f"  {name:14}left out: {one['left_out']}")
                continue
            best = max(best, one["records_per_s"])
            lines.append(
                f"  {name:14}{one['records_per_s']:12,.0f}"
                f"{one['p50_ms']:10.2f}{one['p99_ms']:10.2f}"
                f"{one['single_p50_ms']:10.3f}{one['single_p99_ms']:10.3f}"
                f"   differs by {one['difference']:.1e} of the range"
            )
    lines.append(f"goal {GOAL:,}: {best:,.0f}: {'met' if best >= GOAL else 'MISSED'}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="folder of a trained network")
    parser.add_argument("--campaign", type=Path, default=Path("dags/campaigns/demo.yaml"))
    parser.add_argument("--backends", nargs="+", choices=list(BACKENDS), default=list(BACKENDS))
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/yieldloop/records")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/inference.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    models, strains = chosen(options)
    found = {
        "batch": options.batch,
        "threads": options.threads,
        "networks": {name: compare(model, strains, options) for name, model in models.items()},
    }
    sys.stdout.write(report(found) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
