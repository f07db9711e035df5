"""Ask a trained network about records in a file; writes CSV with one row per record.

    yieldloop predict models/<name> strains.npy [--out parameters.csv]
                      [--runtime openvino] [--device cuda]

A .npy file holds (records, strain_values); an HDF5 file a dataset `strains`, a shard's or that of a
measurement (docs/measurement-format.md). For a network that was trained with forces, the HDF5 file
holds a dataset `forces` too; beside a .npy of strains, --forces names one of (records,
force_values) in N. The file is read block by block and may be larger than memory; --out appears
whole or not at all.

Each target has the ends of its interval beside it; then come the novelty and, where it is above its
limit, the reason why the row has no answer but nan. Throughput is reported on standard error.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import torch

from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.records import publish
from hpc_jobs.learning.models.answers import Answers, withhold
from hpc_jobs.learning.models.exported import exported_onnx
from hpc_jobs.learning.models.runtimes import RUNTIMES, Predict, Subject, open_runtime
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.measurement.blocks import HDF5, Block, read_blocks

BLOCK = 16_384  # records; 70 MB of strains


@dataclass(slots=True)
class Throughput:
    """What was done, and where the time went."""

    runtime: str
    records: int = 0
    strange: int = 0
    reading_s: float = 0.0
    answering_s: float = 0.0
    writing_s: float = 0.0

    def __str__(self) -> str:
        parts = {
            "reading": self.reading_s,
            "answering": self.answering_s,
            "writing": self.writing_s,
        }
        total_s = sum(parts.values())
        shares = ", ".join(f"{word} {part_s / total_s:.0%}" for word, part_s in parts.items())
        return (
            f"{self.records:,} records in {total_s:.2f} s, {self.records / total_s:,.0f} a second "
            f"with {self.runtime} ({shares}); {self.strange:,} are unlike the training records, "
            "and not answered"
        )


@dataclass(slots=True)
class Answerer:
    """A network behind a runtime, which is opened and compared on the first block."""

    model: TrainedModel
    runtime: str
    device: torch.device
    onnx: bytes | None = None
    _predict: Predict | None = None

    @property
    def columns(self) -> list[str]:
        """Names of what is answered."""
        ends = [(target, f"{target}_low", f"{target}_high") for target in self.model.targets]
        return [*(name for three in ends for name in three), "novelty", "reason"]

    def __call__(self, block: Block) -> Answers:
        """Answer a block; raises BadInput."""
        model = self.model
        try:
            inputs = model.inputs(block.strains, block.forces)
        except BadInput as error:
            raise BadInput(f"records from {block.start} on, counted from there: {error}") from None
        if self._predict is None:
            subject = Subject(model.module, self.device, self.onnx)
            self._predict = open_runtime(self.runtime, subject, *inputs)
        answers = self._predict(*inputs).astype(np.float64)
        low, high = model.card.calibration.intervals(answers, model.deviations(*inputs))
        novelty = model.novelty(block.strains, block.forces)
        return withhold(answers, low, high, novelty, model.novelty_limit, model.card.scaler)


def write(blocks: Iterable[Block], answer: Answerer, out: TextIO) -> Throughput:
    """Write the header and a row per record, block by block."""
    report, lap = Throughput(answer.runtime), _clock()
    out.write(",".join(["record", *answer.columns]) + "\n")
    row = "%d" + ",%.7g" * (len(answer.columns) - 1) + ",%s\n"
    for block in blocks:
        report.reading_s += lap()
        answers = answer(block)
        report.answering_s += lap()
        numbers = _in_columns(answers)
        for number, (values, reason) in enumerate(
            zip(numbers, answers.reasons, strict=True), block.start
        ):
            out.write(row % (number, *values, f'"{reason}"' if reason else ""))
        report.writing_s += lap()
        report.records += len(numbers)
        report.strange += sum(map(bool, answers.reasons))
    return report


def _in_columns(answers: Answers) -> list[list[float]]:
    three = np.stack([answers.values, answers.low, answers.high], axis=2)
    rows: list[list[float]] = np.column_stack(
        [three.reshape(len(three), -1), answers.novelty]
    ).tolist()
    return rows


def _clock() -> Callable[[], float]:
    """Seconds since the last call."""
    last = time.perf_counter()

    def lap() -> float:
        nonlocal last
        before, last = last, time.perf_counter()
        return last - before

    return lap


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """Yield standard output, or a file that appears once it is complete."""
    if path is None:
        yield sys.stdout
        return
    with publish(path) as temporary, temporary.open("w") as file:
        yield file


def forces_of(model: TrainedModel, strains: Path, forces: Path | None) -> Path | None:
    """Where the forces are that the network takes, if it takes any; raises BadInput."""
    if not model.forces:
        return None
    if forces is None and strains.suffix.lower() not in HDF5:
        raise BadInput(f"{model.name} was trained with forces; give --forces FILE")
    return forces or strains


def main(argv: list[str] | None = None) -> None:
    """Answer, or say what is wrong with the input."""
    options = arguments().parse_args(argv)
    try:
        model = load_model(options.model)
        forces = forces_of(model, options.strains, options.forces)
        blocks = read_blocks(options.strains, options.block, forces)
        onnx = exported_onnx(options.model, model)
        answer = Answerer(model, options.runtime, torch.device(options.device), onnx)
        with opened(options.out) as out:
            report = write(blocks, answer, out)
    except ContractError as error:
        sys.exit(f"error: {error}")
    sys.stderr.write(f"{report}\n")


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"is '{text}'; give a whole number of at least 1")
    return int(text)


def arguments() -> argparse.ArgumentParser:
    """Model, file, and how to ask."""
    parser = argparse.ArgumentParser(
        prog="yieldloop predict", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the trained network")
    parser.add_argument("strains", type=Path, help=".npy or .h5")
    parser.add_argument("--forces", type=Path, help=".npy or .h5, if they lie elsewhere")
    parser.add_argument("--out", type=Path, help="CSV file; standard output by default")
    parser.add_argument("--runtime", choices=list(RUNTIMES), default="eager")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--block", type=_positive, default=BLOCK, help="records read at a time")
    return parser


if __name__ == "__main__":
    main()
