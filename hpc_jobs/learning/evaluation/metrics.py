"""Errors of an estimate, per target and summed over the tasks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.dataset.facts import TargetScaler


class TargetErrors(Frozen):
    """Errors of one target; they are heavy-tailed, hence the quantiles."""

    mse: FiniteFloat  # min-max units
    mae: FiniteFloat  # physical units
    median: FiniteFloat  # of the absolute error, physical units
    p95: FiniteFloat  # of the absolute error, physical units
    r2: FiniteFloat


class Errors(Frozen):
    """Errors of one estimator on one set of examples."""

    sum_mse: FiniteFloat  # over the tasks, min-max units; the case study's figure
    mean_mse: FiniteFloat
    targets: dict[str, TargetErrors]


def errors_of(
    scaled: NDArray[np.floating[Any]], examples: Examples, scaler: TargetScaler
) -> Errors:
    """Compare estimates (n, targets) in min-max units with the truth."""
    span = np.array(scaler.high) - np.array(scaler.low)
    deviation = scaled.astype(np.float64) - examples.scaled
    mse = (deviation**2).mean(0)
    physical = np.abs(deviation) * span
    spread = examples.scaled.astype(np.float64).var(0)
    return Errors(
        sum_mse=float(mse.sum()),
        mean_mse=float(mse.mean()),
        targets={
            name: TargetErrors(
                mse=float(mse[k]),
                mae=float(physical[:, k].mean()),
                median=float(np.median(physical[:, k])),
                p95=float(np.quantile(physical[:, k], 0.95)),
                r2=float(1 - mse[k] / spread[k]),
            )
            for k, name in enumerate(scaler.targets)
        },
    )
