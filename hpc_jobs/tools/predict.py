"""Ask a trained network about records in a file; writes CSV with one row per record.

    yieldloop predict models/<name> strains.npy [--out parameters.csv] [--known known.npy]
                      [--runtime openvino] [--device cuda]

A .npy file holds (records, strain_values); an HDF5 file a dataset `strains`, a shard's or that of a
measurement (docs/measurement-format.md). For a network that was trained with forces, the HDF5 file
holds a dataset `forces` too; beside a .npy of strains, --forces names one of (records,
force_values) in N. A network of a family is told what is known of its sheets and at which
displacements their output times lie: by a measurement's header, by a shard (which says the
displacements alone), or by --known, given values, their standard deviations (infinite: unknown),
then displacements in mm. The file is read block by block and may be larger than memory; --out
appears whole or not at all.

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
from typing import Any, TextIO

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.measurement import MeasurementFields
from hpc_jobs.contract.records import ShardFields, publish
from hpc_jobs.dataset.shards import first_and_last
from hpc_jobs.identification.family_answer import network_knowledge
from hpc_jobs.learning.models.answers import Answers, withhold
from hpc_jobs.learning.models.export import KNOWN
from hpc_jobs.learning.models.exported import exported_onnx
from hpc_jobs.learning.models.runtimes import RUNTIMES, Predict, Subject, open_runtime
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.measurement.blocks import HDF5, Block, read_blocks
from hpc_jobs.measurement.file import read_measurement
from hpc_jobs.runtime.command_line import CommandLine

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
    known: NDArray[np.float64] | None = None  # (1, known_values) of every record
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
            known = self._known(block)
            inputs = model.inputs(block.strains, block.forces, known)
        except BadInput as error:
            raise BadInput(f"records from {block.start} on, counted from there: {error}") from None
        if self._predict is None:
            subject = Subject(model.module, self.device, self.onnx)
            self._predict = open_runtime(self.runtime, subject, *inputs)
        answers = self._predict(*inputs).astype(np.float64)
        low, high = model.calibration(known).intervals(
            answers, model.deviations(block.strains, block.forces, known)
        )
        novelty = model.novelty(block.strains, block.forces)
        return withhold(answers, low, high, novelty, model.novelty_limit, model.card.scaler)

    def _known(self, block: Block) -> NDArray[Any] | None:
        """Return what is known of a block's records, (n, known_values)."""
        if self.known is not None:
            return np.repeat(self.known, len(block.strains), axis=0)
        told = block.known
        if told is None or told.shape[1] == self.model.known_values:
            return told
        _, specimens, _, times = self.model.card.strain_shape
        if told.shape[1] != specimens * times:
            raise BadInput(
                f"known have {told.shape[1]} values a record; {self.model.name} takes "
                f"{self.model.known_values}, or a shard's displacements, {specimens * times}"
            )
        return np.hstack([self._nothing(len(told)), first_and_last(told, times)])

    def _nothing(self, records: int) -> NDArray[np.float64]:
        box = self.model.card.given
        return np.tile([*box.centre, *[np.inf] * len(box.names)], (records, 1))


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


def known_of(
    model: TrainedModel, strains: Path, known: Path | None
) -> tuple[tuple[Path, str] | None, NDArray[np.float64] | None]:
    """Where it is told what is known of each record, or what is known of all; raises BadInput."""
    if known is not None:
        return (known, KNOWN), None
    if not model.known_values:
        return None, None
    if strains.suffix.lower() in HDF5 and strains.is_file():
        with h5py.File(strains) as file:
            is_measurement = MeasurementFields.HEADER in file.attrs
            is_shard = ShardFields.DISPLACEMENTS in file
        if is_measurement:
            return None, network_knowledge(model.card.given, read_measurement(strains).header)
        if is_shard and model.told:
            return (strains, ShardFields.DISPLACEMENTS), None
    if model.told:
        raise BadInput(
            f"{model.name} must know where the output times lie; give --known FILE of (records, "
            f"{model.known_values}): {model.known_names}"
        )
    return None, None


def main(argv: list[str] | None = None) -> None:
    """Answer, or say what is wrong with the input."""
    options = arguments().parse_args(argv)
    try:
        model = load_model(options.model)
        forces = forces_of(model, options.strains, options.forces)
        where, known = known_of(model, options.strains, options.known)
        blocks = read_blocks(options.strains, options.block, forces, where)
        onnx = exported_onnx(options.model, model)
        answer = Answerer(model, options.runtime, torch.device(options.device), onnx, known)
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
    parser = CommandLine(
        prog="yieldloop predict", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the trained network")
    parser.add_argument("strains", type=Path, help=".npy or .h5")
    parser.add_argument("--forces", type=Path, help=".npy or .h5, if they lie elsewhere")
    parser.add_argument("--known", type=Path, help=".npy or .h5, of a network of a family")
    parser.add_argument("--out", type=Path, help="CSV file; standard output by default")
    parser.add_argument("--runtime", choices=list(RUNTIMES), default="eager")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--block", type=_positive, default=BLOCK, help="records read at a time")
    return parser


if __name__ == "__main__":
    main()
