"""How fast records reach a training: one by one from HDF5, and from each batch source.

    python -m benchmarks.data_pipeline [--records N] [--rounds N] [--json FILE]

Random records of the production size (1,080 strains, 8 targets) are packed as a campaign's are,
their 128 principal components beside them. "One by one" is the naive way: a plain torch data set
that reads the 1,080 strains of a record by its number, collated by a DataLoader, projected batch by
batch as a network does that takes raw strains; once opening the file for each record, for HDF5
handles do not cross a fork, and once keeping it open. The sources serve stored components instead.
"Tensor" is the ideal: the components in one tensor in memory, indexed by hand. Loader only counts
batches that nobody trains on; end to end trains the campaign's default MLP (48 components, two
layers of 256), the same network in all rows.
All variants take turns in one process on one thread of torch's, round after round, so that whatever
else the machine does falls on all alike. CPU seconds count, those of reader threads included: rates
are the fastest round's, ratios and waits the median of the rounds. Waiting is by the clock; it is
small where a core is left for the reader. Prints a table and writes JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import STORED_COMPONENTS, Cosine, Mlp
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.dataset.facts import PackedFields, TargetScaler
from hpc_jobs.dataset.packed import write_split
from hpc_jobs.dataset.plan import FILE_BYTES
from hpc_jobs.dataset.spectrum import Spectra, spectrum_of
from hpc_jobs.dataset.split import Split
from hpc_jobs.learning.feed import SOURCES
from hpc_jobs.learning.feed.order import ALONE, Order, Share
from hpc_jobs.learning.feed.source import Batch, BatchSource, Records
from hpc_jobs.learning.networks.inputs import PrincipalInputs
from hpc_jobs.learning.networks.mlp import Mlp as MlpNetwork
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.settings import Settings
from hpc_jobs.learning.training.trainer import Trainer

CPU = torch.device("cpu")
TARGETS = tuple(f"MP{number}" for number in range(1, 9))
NOISE, FORCE_NOISE, BATCH = 5e-4, 5e-3, 256
NETWORK = Mlp(kind="mlp")
NAIVE_BATCHES = 2  # of an epoch: one by one is slow
GOALS = {
    "end to end, slowest source over tensor": 0.98,
    "end to end, slowest source over one by one": 20.0,
    "input wait, slowest source": 0.03,
}
PAPER = 5.1  # end to end, 179 -> 35 min on one GPU


class OneRecord(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """A plain torch data set: HDF5 is asked for one record at a time."""

    def __init__(self, path: Path, *, keep_open: bool) -> None:
        self._path = path
        self._file = h5py.File(path) if keep_open else None

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Read (strain_values,) and (targets,)."""
        if self._file:
            return self._read(self._file, row)
        with h5py.File(self._path) as file:
            return self._read(file, row)

    @staticmethod
    def _read(file: h5py.File, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        strains, parameters = file[PackedFields.STRAINS], file[PackedFields.PARAMETERS]
        return torch.from_numpy(strains[row]), torch.from_numpy(parameters[row])


class OneByOne(BatchSource):
    """The naive way, in the same order as every source: raw strains, projected by each batch."""

    name: ClassVar[str] = "one by one"
    keep_open: ClassVar[bool] = False

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._inputs = PrincipalInputs(Specimens().strain_values, records.components)
        self._inputs.fit(spectra().strains)

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield what a DataLoader collates."""
        dealt = self.order.epoch(epoch)
        rows = [dealt.rows(step, share).tolist() for step in range(first, self.order.steps)]
        path = self.records.split.columns[PackedFields.STRAINS][0].path
        loader = DataLoader(OneRecord(path, keep_open=self.keep_open), batch_sampler=rows)
        for step, (strains, parameters) in enumerate(loader, first):
            yield Batch(step, self._inputs.observe(strains), self._scaled(parameters))


class OneByOneKeptOpen(OneByOne):
    """The same with the file opened once."""

    keep_open: ClassVar[bool] = True


class InOneTensor(BatchSource):
    """The ideal: everything in memory, a permutation, a slice."""

    name: ClassVar[str] = "tensor"

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        columns = records.split.gather(records.names, np.arange(records.order.records))
        parameters, components = map(torch.from_numpy, columns)
        self._components = components[:, : records.components].contiguous()
        self._targets = self._scaled(parameters)

    def batches(self, epoch: int, first: int = 0, share: Share = ALONE) -> Generator[Batch]:
        """Yield slices of one permutation."""
        shuffled = torch.randperm(self.order.records)
        for step in range(first, self.order.steps):
            rows = shuffled[slice(*self.order.bounds(step))]
            yield Batch(step, self._components[rows], self._targets[rows])


NAIVE: dict[str, type[BatchSource]] = {
    "one by one": OneByOne,
    "one by one, kept open": OneByOneKeptOpen,
}
VARIANTS: dict[str, type[BatchSource]] = {**NAIVE, "tensor": InOneTensor, **SOURCES}


def simulated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets (n, 8), strains (n, 1080) and forces (n, 30) of a smooth function."""
    specimens, modes = Specimens(), np.random.default_rng(1)
    targets = np.random.default_rng([seed, 2]).uniform(0.9, 1.1, (count, len(TARGETS)))
    widths = specimens.strain_values, specimens.force_values
    strains, forces = (np.tanh((targets - 1) @ modes.normal(size=(8, n)) * 5) for n in widths)
    return targets, 0.05 + 0.01 * strains, 8000 * np.exp(0.1 * forces)


@cache
def spectra() -> Spectra:
    """Find the components once, for packing and for all trainings."""
    _, strains, forces = simulated(2048, 0)
    return Spectra(
        strains=spectrum_of([strains], NOISE, STORED_COMPONENTS),
        forces=spectrum_of([np.log(forces)], FORCE_NOISE, forces.shape[1]),
    )


def pack(folder: Path, count: int) -> Split:
    """Write packed files of random records and open them."""
    order = np.random.default_rng(0).permutation(count)
    made = [simulated(min(4096, count - start), 1 + start) for start in range(0, count, 4096)]
    targets, strains, forces = (np.concatenate(parts)[order] for parts in zip(*made, strict=True))
    columns = {
        PackedFields.STRAINS: strains.astype(np.float32),
        PackedFields.FORCES: forces.astype(np.float32),
        PackedFields.PARAMETERS: targets,
        PackedFields.ORIGIN: np.zeros((count, 2), np.int64),
        PackedFields.COMPONENTS: spectra().strains.components(strains),
        PackedFields.FORCE_COMPONENTS: spectra().forces.components(np.log(forces)),
    }
    return Split(write_split(folder, "train", columns, FILE_BYTES))


def trainer(source: BatchSource) -> Trainer:
    """Train the campaign's default MLP, one epoch."""
    torch.manual_seed(0)
    network = MlpNetwork(NETWORK, Specimens().strain_shape, TARGETS)
    network.fit(spectra())
    names = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
    strains, forces, parameters = source.records.split.gather(names, np.arange(8))
    few = Examples(strains, forces, parameters, parameters.astype(np.float64))
    settings = Settings(
        epochs=1,
        batch_size=BATCH,
        learning_rate=1e-3,
        weight_decay=1e-4,
        schedule=Cosine(kind="cosine"),
        seed=0,
        settle_after=1.0,
        checkpoint_every_epochs=10,
    )
    return Trainer(network, source, few, settings)


def load(source: BatchSource) -> dict[str, float]:
    """Ask for every batch of an epoch and do nothing with it."""
    return timed(lambda: sum(len(batch) for batch in source.batches(0)))


def train(source: BatchSource) -> dict[str, float]:
    """Train for an epoch."""
    one = trainer(source)
    with tempfile.TemporaryDirectory() as folder:

        def epoch() -> int:
            one.fit(Checkpoints(Path(folder), "bench"), lambda: False, lambda *_: None)
            return source.order.records

        return timed(epoch) | {"input_wait": one.speed.input_wait}


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Give samples per second of CPU and of wall time."""
    wall, cpu = time.perf_counter(), time.process_time()
    samples = work()
    return {
        "samples_per_cpu_s": samples / (time.process_time() - cpu),
        "samples_per_s": samples / (time.perf_counter() - wall),
    }


def measure(split: Split, rounds: int) -> dict[str, dict[str, Any]]:
    """Let the variants take turns; best rates, and ratios within each round."""
    scaler = TargetScaler(targets=TARGETS, low=(0.9,) * 8, high=(1.1,) * 8)
    whole = Order(len(split), BATCH, seed=0, blocks_per_window=4)
    part = Order(NAIVE_BATCHES * BATCH, BATCH, seed=0, blocks_per_window=4)
    opened = {
        name: kind(
            Records(split, part if name in NAIVE else whole, scaler, CPU, NETWORK.components)
        )
        for name, kind in VARIANTS.items()
    }
    turns: list[dict[str, dict[str, dict[str, float]]]] = []
    for _ in range(rounds):
        turns.append(
            {name: {"loader": load(one), "training": train(one)} for name, one in opened.items()}
        )
    for source in opened.values():
        source.close()
    return {name: summary([turn[name] for turn in turns], turns) for name in opened}


def summary(mine: list[Any], turns: list[Any]) -> dict[str, Any]:
    """Best rates of a variant, and the median of its rate over the others' in the same round."""
    rates = ("samples_per_cpu_s", "samples_per_s")
    best: dict[str, Any] = {
        what: {rate: max(turn[what][rate] for turn in mine) for rate in rates}
        for what in ("loader", "training")
    }
    best["input_wait"] = statistics.median(turn["training"]["input_wait"] for turn in mine)
    for other in ("tensor", "one by one"):
        best[f"over {other}"] = statistics.median(
            one["training"]["samples_per_cpu_s"] / turn[other]["training"]["samples_per_cpu_s"]
            for one, turn in zip(mine, turns, strict=True)
        )
    return best


def verdicts(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Compare with the goals."""
    over_tensor, over_naive = (
        min(results[name][f"over {other}"] for name in SOURCES)
        for other in ("tensor", "one by one")
    )
    wait = max(results[name]["input_wait"] for name in SOURCES)
    found = dict(zip(GOALS, (over_tensor, over_naive, wait), strict=True))
    return {
        name: {
            "value": value,
            "goal": GOALS[name],
            "met": value <= GOALS[name] if "wait" in name else value >= GOALS[name],
        }
        for name, value in found.items()
    }


def report(results: dict[str, Any], judged: dict[str, dict[str, Any]]) -> None:
    """Print the tables."""
    heads = (("loader only", 24), ("end to end, MLP", 24), ("over one", 12), ("over", 9))
    print(f"{'samples/s':22}" + "".join(f"{head:>{width}}" for head, width in heads) + "   input")
    units = (("CPU", 14), ("wall", 10), ("CPU", 14), ("wall", 10), ("by one", 12), ("tensor", 9))
    print(f"{'':22}" + "".join(f"{unit:>{width}}" for unit, width in units) + "    wait")
    for name, result in results.items():
        loader, training = result["loader"], result["training"]
        print(
            f"{name:22}{loader['samples_per_cpu_s']:14,.0f}{loader['samples_per_s']:10,.0f}"
            f"{training['samples_per_cpu_s']:14,.0f}{training['samples_per_s']:10,.0f}"
            f"{result['over one by one']:11.1f}x{result['over tensor']:9.2f}"
            f"{result['input_wait']:8.1%}"
        )
    print(f"\nThe paper's factor, end to end on one GPU: {PAPER}")
    for name, one in judged.items():
        word = "met" if one["met"] else "NOT MET"
        print(f"{name:46}{one['value']:9.3f}   goal {one['goal']:6.2f}   {word}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each variant")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/data_pipeline.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        split = pack(Path(folder), options.records)
        results = measure(split, options.rounds)
    judged = verdicts(results)
    report(results, judged)
    document = {"records": options.records, "results": results, "goals": judged}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
