"""How good answers are: square errors in min-max units, quantiles, R2, coverage of intervals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.identification.posterior import Posterior

Float = NDArray[np.float64]
NORMAL_90 = 1.6449


def score(answer: Float, truth: Float) -> dict[str, Any]:
    """Compare answers with truths, (n, targets) in min-max units.

    Sums are over the targets, times 10^3: of the mean (`error`, with its standard error), and the
    quantiles over the records.
    """
    squares = (answer - truth) ** 2
    sums = 1e3 * squares.sum(1)
    return {
        "error": float(sums.mean()),
        "standard_error": float(sums.std(ddof=1) / np.sqrt(len(sums))),
        "median": float(np.median(sums)),
        "p95": float(np.quantile(sums, 0.95)),
        "r2": (1 - squares.mean(0) / truth.var(0)).tolist(),
    }


def coverage(posterior: Posterior, truth: NDArray[np.floating]) -> list[float]:
    """Share of physical truths (n, targets) within the 90 % intervals, by target."""
    off = np.abs(posterior.parameters - truth) / posterior.deviation
    return [float(share) for share in (off < NORMAL_90).mean(0)]


def risk(variances: Float, truth: Float) -> dict[str, Any]:
    """Sum over the targets, times 10^3, and R2, of variances (n, targets) in min-max units."""
    mean = variances.mean(0)
    return {"error": float(1e3 * mean.sum()), "r2": (1 - mean / truth.var(0)).tolist()}
