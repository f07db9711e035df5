"""Ask a trained network about strains in a file; writes CSV with one row per record.

    python -m hpc_jobs.jobs.predict models/<name> strains.npy [--out parameters.csv]

A .npy file holds (records, strain_values); a .h5 file is a measurement (docs/measurement-format.md)
or anything with a dataset `strains`. The last column is the novelty: above 1, do not believe it.
For a network that was trained with forces, the .h5 file holds a dataset `forces` too; beside a .npy
of strains, --forces names one of (records, force_values) in N.
"""

import argparse
import csv
import sys
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.measurement import MeasurementFields
from hpc_jobs.learning.errors import BadInput
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model

Values = NDArray[np.float64]


def read_column(path: Path, name: str) -> Values:
    """Read (records, values) of strains or forces; raises BadInput naming the file."""
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with h5py.File(path) as file:
                values = file[name][...]
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(
            f"{path}: no {name} in it ({error}); give a .npy of shape (records, values), or an "
            f"HDF5 file with a dataset '{name}'"
        ) from None
    return np.atleast_2d(np.asarray(values, dtype=np.float64))


def read_inputs(model: TrainedModel, strains: Path, forces: Path | None) -> tuple[Values, ...]:
    """Read what the network takes; forces from the file of the strains unless there is another."""
    values = read_column(strains, MeasurementFields.STRAINS)
    if not model.forces:
        return (values,)
    if forces is None and strains.suffix == ".npy":
        raise BadInput(f"{model.name} was trained with forces; give --forces FILE")
    return values, read_column(forces or strains, MeasurementFields.FORCES)


def write_answers(path: Path | None, model: TrainedModel, inputs: tuple[Values, ...]) -> None:
    """Write record, targets and novelty as CSV; to standard output without a path."""
    answers, novelty = model.predict(*inputs), model.novelty(inputs[0])
    handle = path.open("w", newline="") if path else sys.stdout
    try:
        writer = csv.writer(handle)
        writer.writerow(["record", *model.targets, "novelty"])
        for row, (answer, strange) in enumerate(zip(answers, novelty, strict=True)):
            writer.writerow([row, *(f"{value:.7g}" for value in answer), f"{strange:.4g}"])
    finally:
        if path:
            handle.close()


def main() -> None:
    """Answer, or say what is wrong with the input."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the trained network")
    parser.add_argument("strains", type=Path, help=".npy or .h5")
    parser.add_argument("--forces", type=Path, help=".npy or .h5, if they lie elsewhere")
    parser.add_argument("--out", type=Path, help="CSV file; standard output by default")
    options = parser.parse_args()
    try:
        model = load_model(options.model)
        write_answers(options.out, model, read_inputs(model, options.strains, options.forces))
    except ContractError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
