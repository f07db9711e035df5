"""One step of what learns from a data set, in a process of its own that others measure."""

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.packing.steps import Step, campaign_in, main
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest
from hpc_jobs.dataset.dataset import open_dataset, validation_examples
from hpc_jobs.dataset.facts import dataset_facts
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
    campaign = campaign_in(run)
    spec = campaign.training.trainings[-1]
    dataset = open_dataset(run, campaign.training.validation_fraction)
    torch.manual_seed(0)
    model, validation = fresh_model(spec, dataset), validation_examples(dataset)
    components = observed(model.network, validation, CPU)
    made = Made(name="one", network=spec, model=model, validation_mse=(0.0,) * 8)
    done = complete(run.model("one"), campaign, made, dataset, validation, CPU, RIVALS)
    return {"validated": len(components), "tested": done.report.records}


STEPS: dict[str, Step] = {"epoch": epoch, "evaluate": evaluate}

if __name__ == "__main__":
    torch.set_num_threads(1)
    main(STEPS)
