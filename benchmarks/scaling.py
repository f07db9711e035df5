"""Does data-parallel training stay the same training? Ranks, interruption, another number of ranks.

    python -m benchmarks.scaling [--epochs N] [--seed N] [--json FILE]

Each line is a training of the default MLP on packed random records, in processes of their own
(gloo on CPUs, one thread each), as `torchrun -m hpc_jobs.jobs.train` would start them:

- one rank, uninterrupted: the reference;
- two ranks at the same global batch: its loss curve is the reference's, to float tolerance;
- one rank, stopped at a random step and resumed: weights and losses equal, to the last bit;
- stopped on one rank and resumed on two: the same records in the same order, the same curve.

Samples/s are printed too; two ranks pay only where two cores are free. Prints goals met or not,
writes JSON.
"""

import argparse
import json
import multiprocessing
import random
import shutil
import socket
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.data_pipeline import NETWORK, TARGETS, pack, spectra
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import SineWave
from hpc_jobs.dataset.dataset import Examples, scale
from hpc_jobs.dataset.facts import PackedFields, TargetScaler
from hpc_jobs.dataset.spectrum import publish_spectra, read_spectra
from hpc_jobs.dataset.split import Split
from hpc_jobs.learning.errors import Interrupted
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.feed.ram import RamSource
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.networks.mlp import Mlp as MlpNetwork
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.settings import Settings
from hpc_jobs.learning.training.team import Team
from hpc_jobs.learning.training.trainer import Trainer
from hpc_jobs.runtime.ranks import Rank, joined

RECORDS, VALIDATION, BATCH = 6000, 1000, 250
SPECTRA = "spectra.npz"
CURVE_TOLERANCE = 1e-4  # relative, of every epoch's loss: sums are taken in another order
SCALER = TargetScaler(targets=TARGETS, low=(0.9,) * 8, high=(1.1,) * 8)


class Watched(RamSource):
    """Keeps the rows of every batch that is served."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.seen: list[tuple[int, int, list[int]]] = []

    def batches(self, epoch: int, first: int = 0, share: Any = None) -> Any:
        """Note what passes."""
        dealt = self.order.epoch(epoch)
        for batch in super().batches(epoch, first, share):
            self.seen.append((epoch, batch.step, dealt.rows(batch.step, share).tolist()))
            yield batch


@dataclass(frozen=True)
class Case:
    """One training, or the part of one until it is stopped."""

    files: tuple[Path, ...]
    folder: Path  # of its checkpoints
    epochs: int
    stop_at: int | None = None  # steps that this process makes


def trainer(case: Case, team: Team) -> Trainer:
    """Build the same training in every process."""
    torch.manual_seed(0)
    split = Split(case.files)
    network = MlpNetwork(NETWORK, Specimens().strain_shape, TARGETS)
    network.fit(read_spectra(case.files[0].with_name(SPECTRA)))
    names = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
    held_out = np.arange(RECORDS, RECORDS + VALIDATION)
    strains, forces, parameters = split.gather(names, held_out)
    physical = parameters.astype(np.float64)
    validation = Examples(strains, forces, scale(parameters, SCALER), physical)
    order = Order(RECORDS, BATCH, seed=1, block=128, blocks_per_window=8)
    settings = Settings(
        epochs=case.epochs,
        batch_size=BATCH,
        learning_rate=1e-3,
        weight_decay=1e-4,
        schedule=SineWave(kind="sine_wave"),
        seed=1,
        settle_after=1.0,
        checkpoint_every_epochs=100,
    )
    fed = Records(split, order, SCALER, team.device, NETWORK.components)
    return Trainer(network, Watched(fed), validation, settings, team)


def work(rank: Rank, case: Case, answers: Any) -> None:
    """Train as one rank; the answer holds curve, weights and the rows that were served."""
    torch.set_num_threads(1)
    with joined(rank) as team:
        one = trainer(case, team)
        calls = iter(range(10**9))
        begin_s = time.perf_counter()
        with suppress(Interrupted):
            one.fit(
                Checkpoints(case.folder, "scaling"),
                lambda: case.stop_at is not None and next(calls) >= case.stop_at,
                lambda *_: None,
            )
        source = one.source
        assert isinstance(source, Watched)
        answers.put(
            {
                "rank": rank.rank,
                "curve": [(e.train_loss, e.val_loss) for e in one.progress.history],
                "weights": {
                    name: value.numpy() for name, value in one.network.state_dict().items()
                },
                "seen": source.seen,
                "samples_per_s": len(source.seen) * BATCH / (time.perf_counter() - begin_s),
            }
        )


def run(case: Case, world: int) -> list[dict[str, Any]]:
    """Start the ranks of one training; answers by rank."""
    context = multiprocessing.get_context("forkserver")  # imports once, then forks: no thread yet
    context.set_forkserver_preload(["benchmarks.scaling"])
    answers = context.Queue()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [Rank(rank, world, rank, "127.0.0.1", port) for rank in range(world)]
    processes = [context.Process(target=work, args=(rank, case, answers)) for rank in ranks]
    for process in processes:
        process.start()
    found = [answers.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    return sorted(found, key=lambda one: int(one["rank"]))


def global_order(parts: list[list[dict[str, Any]]]) -> dict[tuple[int, int], list[int]]:
    """Rows of every global batch, ranks joined; parts one after the other.

    A batch that was fetched but not trained on before the stop is fetched again by the next part.
    """
    rows: dict[tuple[int, int], list[int]] = {}
    for ranks in parts:
        for same in zip(*(one["seen"] for one in ranks), strict=True):
            epoch, step, _ = same[0]
            rows[epoch, step] = [row for _, _, some in same for row in some]
    return rows


def measure(folder: Path, epochs: int, seed: int) -> dict[str, Any]:
    """Run the trainings and compare."""
    pack(folder, RECORDS + VALIDATION)
    publish_spectra(folder / SPECTRA, spectra())
    files = tuple(sorted(folder.glob("*.h5")))
    steps = epochs * -(-RECORDS // BATCH)
    stop_at = random.Random(seed).randrange(steps // 4, steps)
    whole = run(Case(files, folder / "whole", epochs), 1)
    two = run(Case(files, folder / "two", epochs), 2)
    first = run(Case(files, folder / "cut", epochs, stop_at), 1)
    shutil.copytree(folder / "cut", folder / "other")
    again = run(Case(files, folder / "cut", epochs), 1)
    other = run(Case(files, folder / "other", epochs), 2)
    reference, order = whole[0], global_order([whole])
    equal = all(
        np.array_equal(value, again[0]["weights"][name])
        for name, value in reference["weights"].items()
    )
    return {
        "epochs": epochs,
        "steps": steps,
        "stopped_at_step": stop_at,
        "samples_per_s": {"1 rank": reference["samples_per_s"], "2 ranks": two[0]["samples_per_s"]},
        "curves": {
            "1 rank": reference["curve"],
            "2 ranks": two[0]["curve"],
            "1 rank, then 2": other[0]["curve"],
        },
        "goals": {
            "2 ranks, loss curve, relative difference": within(reference, two[0]),
            "2 ranks, same records in the same order": same(order, global_order([two])),
            "resumed at a random step, curve and weights bitwise": {
                "value": equal and again[0]["curve"] == reference["curve"],
                "met": equal and again[0]["curve"] == reference["curve"],
            },
            "resumed at a random step, same order": same(order, global_order([first, again])),
            "1 rank, then 2: same order": same(order, global_order([first, other])),
            "1 rank, then 2: curve, relative difference": within(reference, other[0]),
        },
    }


def within(reference: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Compare the loss curves."""
    one, two = np.array(reference["curve"]), np.array(other["curve"])
    worst = float(np.max(np.abs(two - one) / one)) if one.shape == two.shape else float("inf")
    return {"value": worst, "goal": CURVE_TOLERANCE, "met": worst <= CURVE_TOLERANCE}


def same(one: dict[tuple[int, int], list[int]], two: dict[tuple[int, int], list[int]]) -> Any:
    """Compare the order of the records."""
    return {"value": one == two, "met": one == two}


def report(found: dict[str, Any]) -> str:
    """Lay the figures out as a table."""
    lines = [f"{'epoch':>6}" + "".join(f"{name:>28}" for name in found["curves"])]
    for epoch, losses in enumerate(zip(*found["curves"].values(), strict=True), 1):
        lines.append(f"{epoch:6}" + "".join(f"{train:16.7f} {val:11.7f}" for train, val in losses))
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in found["samples_per_s"].items())
    lines += [f"(training and validation loss)   samples/s: {rates}"]
    lines += [f"stopped after {found['stopped_at_step']} of {found['steps']} steps"]
    for name, goal in found["goals"].items():
        value = goal["value"]
        shown = f"{value:.1e}" if isinstance(value, float) else ("yes" if value else "no")
        limit = f"   goal {goal['goal']:.0e}" if "goal" in goal else " " * 13
        lines.append(f"{name:54}{shown:>8}{limit}   {'met' if goal['met'] else 'NOT MET'}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="of the step at which it is stopped")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/scaling.json"))
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.epochs, seed) | {"seed": seed}
    sys.stdout.write(report(found) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
