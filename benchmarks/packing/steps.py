"""One step of a campaign's packing or learning, in a process of its own that others measure.

python -m benchmarks.packing.steps STEP RUN [--element N --elements M --memory MIB]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, read_model
from hpc_jobs.dataset.dataset import open_dataset, validation_examples
from hpc_jobs.dataset.facts import dataset_facts
from hpc_jobs.dataset.pack import deal_records, pack_records, publish_dataset
from hpc_jobs.dataset.split import Split
from hpc_jobs.identification.rival import RIVALS
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.feed.stream import StreamSource
from hpc_jobs.learning.training.completion import Made, complete
from hpc_jobs.learning.training.experiment import fresh_model
from hpc_jobs.learning.training.trainer import observed

CPU = torch.device("cpu")
BATCH = 4096


def deal(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Deal one element's records."""
    units, records = deal_records(
        run, _campaign(run), None, told.element, told.elements, memory_mib=told.memory
    )
    return {"units": units, "records": records}


def pack(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Write one element's files."""
    files, records = pack_records(
        run, _campaign(run), None, told.element, told.elements, memory_mib=told.memory
    )
    return {"files": files, "records": records}


def publish(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Publish the dataset, and do all that is left to do for it."""
    facts = publish_dataset(run, _campaign(run), memory_mib=told.memory)
    return {"train": facts.train, "test": facts.test, "generation": facts.generation}


def verify(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Hash every file of the dataset."""
    return {"files": len(read_manifest(run.dataset_manifest, "dataset").files)}


def epoch(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Ask for all batches of an epoch by `stream`, and do nothing with them."""
    facts = dataset_facts(read_manifest(run.dataset_manifest, "dataset", verify=False))
    split = Split([run.dataset / name for name in facts.train_files])
    order = Order(len(split), BATCH, seed=0, parts=tuple(part.train for part in facts.parts))
    fed = Records(split, order, facts.scaler, CPU, 96)
    with StreamSource(fed) as source:
        return {"records": sum(len(batch) for batch in source.batches(0))}


def evaluate(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Judge a network: validation, calibration, test set, baselines, surrogate and figures."""
    campaign = _campaign(run)
    spec = campaign.training.trainings[-1]
    dataset = open_dataset(run, campaign.training.validation_fraction)
    torch.manual_seed(0)
    model, validation = fresh_model(spec, dataset), validation_examples(dataset)
    components = observed(model.network, validation, CPU)
    made = Made(name="one", network=spec, model=model, validation_mse=(0.0,) * 8)
    done = complete(run.model("one"), campaign, made, dataset, validation, CPU, RIVALS)
    return {"validated": len(components), "tested": done.report.records}


def _campaign(run: RunFolder[Path]) -> Any:
    return read_model(FrozenCampaign, run.campaign).campaign


STEPS: dict[str, Callable[[RunFolder[Path], argparse.Namespace], dict[str, Any]]] = {
    step.__name__: step for step in (deal, pack, publish, verify, epoch, evaluate)
}


def main() -> None:
    """Do one step; say in one line of JSON what was done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("run", type=Path)
    parser.add_argument("--element", type=int, default=0)
    parser.add_argument("--elements", type=int, default=1)
    parser.add_argument("--memory", type=int, default=None, help="MiB; else the campaign's")
    told = parser.parse_args()
    torch.set_num_threads(1)
    before = _used()
    answer = STEPS[told.step](RunFolder(told.run.resolve()), told)
    used = {name: value - before[name] for name, value in _used().items()}
    sys.stdout.write(json.dumps(answer | used) + "\n")


def _used() -> dict[str, float]:
    """Seconds, and megabytes asked for (from disk or page cache) and written by this process."""
    lines = Path("/proc/self/io").read_text().splitlines()
    moved = dict(line.split(": ") for line in lines)
    return {
        "wall_s": time.perf_counter(),
        "cpu_s": time.process_time(),
        "read_mb": int(moved["rchar"]) / 1e6,
        "written_mb": int(moved["wchar"]) / 1e6,
    }


if __name__ == "__main__":
    main()
