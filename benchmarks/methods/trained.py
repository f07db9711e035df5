"""The project's networks, trained by its own engine on a dataset packed from given records.

The schedule depends on the number of records alone. Within a training the best epoch is chosen by
a tenth of the training records; the test set is not even part of the dataset.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from benchmarks.methods.records import Records
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import publish_manifest
from hpc_jobs.contract.training import (
    STORED_COMPONENTS,
    Mlp,
    MultitaskCnn,
    Network,
    Noise,
    OneCycle,
    Training,
)
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.facts import DatasetFacts, PackedFields, TargetScaler
from hpc_jobs.dataset.packed import write_split
from hpc_jobs.dataset.plan import FILE_BYTES
from hpc_jobs.dataset.spectrum import Spectra, publish_spectra, spectrum_of
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.learning.models.inverse_model import InverseModel
from hpc_jobs.learning.training.experiment import fit_network
from hpc_jobs.tracking.spool import Spool

Float = NDArray[np.float64]
CHUNK = 4096
SPECTRUM_RECORDS = 20_000

NETWORKS: dict[str, Network] = {
    "the paper's CNN": MultitaskCnn(
        kind="multitask_cnn", encoding="fields", activation="relu", learning_rate=3e-3
    ),
    "our CNN": MultitaskCnn(
        kind="multitask_cnn",
        encoding="fields",
        channels=16,
        deep_heads=(),
        dropout=0,
        learning_rate=3e-3,
    ),
    "MLP": Mlp(kind="mlp", hidden=(256, 256), learning_rate=2e-3, weight_decay=1e-2),
}

COMMITTEE, MEMBERS = "committee of five MLPs", 5
FEWEST = {COMMITTEE: 5_000, "our CNN": 5_000}
"""Training records below which a network is not trained, so that small runs take minutes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and in what batches networks are trained on so many records or more."""

    records: int
    epochs: int
    batch_size: int


PACES: dict[str, tuple[Pace, ...]] = {
    "mlp": (
        Pace(100_000, 30, 512),
        Pace(25_000, 60, 256),
        Pace(5_000, 200, 128),
        Pace(1_000, 600, 64),
        Pace(0, 1500, 32),
    ),
    "multitask_cnn": (  # some ten thousand steps, where there are records for it
        Pace(100_000, 8, 64),
        Pace(25_000, 24, 64),
        Pace(5_000, 60, 32),
        Pace(1_000, 150, 16),
        Pace(0, 400, 16),
    ),
}


def pace_of(kind: str, records: int) -> Pace:
    """Schedule of a kind of network for so many training records."""
    return next(pace for pace in PACES[kind] if records >= 0.9 * pace.records)


def pack(
    folder: Path, campaign: Campaign, train: Records, limits: tuple[Float, Float], noise: Noise
) -> RunFolder[Path]:
    """Publish training records, without a test set, as the dataset of a run."""
    run = RunFolder(folder)
    spectrum, sample = run.dataset / "packed/spectrum-g0001.npz", train.first(SPECTRUM_RECORDS)
    logs = np.log(train.forces.astype(np.float64))
    spectra = Spectra(
        strains=spectrum_of([sample.strains], noise.strain, STORED_COMPONENTS),
        forces=spectrum_of([logs], noise.force_relative, logs.shape[1]),
    )
    publish_spectra(spectrum, spectra)
    order = np.random.default_rng(campaign.design.seed).permutation(len(train))
    columns = {
        PackedFields.STRAINS: train.strains[order],
        PackedFields.FORCES: train.forces[order],
        PackedFields.PARAMETERS: train.parameters[order],
        PackedFields.ORIGIN: np.stack([0 * order, order], axis=1),
        PackedFields.COMPONENTS: spectra.strains.components(train.strains[order]),
        PackedFields.FORCE_COMPONENTS: spectra.forces.components(logs[order]),
    }
    paths = write_split(run.dataset / "packed", "train-g0001", columns, FILE_BYTES)
    facts = DatasetFacts(
        generation=1,
        rounds=(0,),
        train=len(train),
        test=0,
        by_status=dict(train.by_status),
        train_files=tuple(path.relative_to(run.dataset).as_posix() for path in paths),
        spectrum_file=spectrum.relative_to(run.dataset).as_posix(),
        scaler=TargetScaler(
            targets=tuple(campaign.targets),
            low=tuple(limits[0].tolist()),
            high=tuple(limits[1].tolist()),
        ),
        noise_strain=noise.strain,
        noise_force_relative=noise.force_relative,
        noise_seed=campaign.design.seed,
        strain_shape=campaign.specimens.strain_shape,
        campaign_fingerprint=campaign.fingerprint,
        lineage=(),
    )
    said = facts.model_dump(mode="json")
    publish_manifest(run.dataset_manifest, "dataset", [*paths, spectrum], **said)
    return run


def answer(
    campaign: Campaign,
    train: Records,
    limits: tuple[Float, Float],
    noise: tuple[float, float],
    name: str,
    asked: ForwardRecords,
) -> Float:
    """Train a network, or a committee, on records: answers (n, targets) in min-max units.

    Forces, where they are asked with, are learned from, too.
    """
    members = MEMBERS if name == COMMITTEE else 1
    network = NETWORKS["MLP" if name == COMMITTEE else name]
    with TemporaryDirectory(prefix="accuracy-") as folder:
        units = Noise(strain=noise[0], force_relative=noise[1])
        run = pack(Path(folder), campaign, train, limits, units)
        found = []
        for seed in range(members):
            spec = _paced(network, len(train), seed, with_forces=asked.forces is not None)
            found.append(_ask(_train(run, campaign, spec), asked))
        return np.asarray(np.mean(found, axis=0))


def _paced(network: Network, records: int, seed: int, *, with_forces: bool) -> Network:
    pace = pace_of(network.kind, records)
    changes = {"epochs": pace.epochs, "batch_size": pace.batch_size}
    changes |= {"forces": with_forces, "seed": seed}
    adapter: TypeAdapter[Network] = TypeAdapter(Network)
    return adapter.validate_python(network.model_dump() | changes)


def _train(run: RunFolder[Path], campaign: Campaign, spec: Network) -> InverseModel:
    training = Training(
        networks=(spec,), epochs=spec.epochs or 1, schedule=OneCycle(kind="one_cycle")
    )
    told = campaign.model_copy(update={"training": training})
    folder = run.model(spec.name)
    fitted = fit_network(
        open_dataset(run, training.validation_fraction),
        told,
        spec,
        folder,
        spool=Spool(folder / "spool.jsonl", name=spec.name),
        progress=lambda done, total, unit: None,
        stop=lambda: False,
    )
    fitted.checkpoints.remove()
    return fitted.model.eval()


@torch.no_grad()
def _ask(model: InverseModel, asked: ForwardRecords) -> Float:
    columns = [asked.strains] if asked.forces is None else [asked.strains, asked.forces]
    inputs = [torch.split(torch.from_numpy(one.astype(np.float32)), CHUNK) for one in columns]
    physical = torch.cat([model(*part) for part in zip(*inputs, strict=True)])
    return np.asarray(((physical - model.low) / model.span).numpy(), np.float64)
