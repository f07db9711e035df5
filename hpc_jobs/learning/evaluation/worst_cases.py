"""The test records that a model gets most wrong, as a table that a person can sort."""

import csv
from pathlib import Path

import numpy as np

from hpc_jobs.contract.records import publish
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.learning.evaluation.test_set import Answers

WORST = "worst_cases.csv"
CASES = 50


def write_worst_cases(
    path: Path, answers: Answers, test: Examples, scaler: TargetScaler, cases: int = CASES
) -> None:
    """Write the cases with the largest sum of squared errors, the worst first.

    record: row of the test set; squares: that sum, min-max units; novelty: above 1 unlike the
    training records; of each target its answer, interval and truth, physical.
    """
    squares = np.square(answers.scaled - test.scaled).sum(1)
    low, span = np.array(scaler.low), np.array(scaler.high) - np.array(scaler.low)
    parts = {
        "": low + span * answers.scaled,
        "_low": answers.intervals[0],
        "_high": answers.intervals[1],
        "_true": test.physical,
    }
    with publish(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [f"{target}{part}" for target in scaler.targets for part in parts]
        writer.writerow(["record", "squares", "novelty", *names])
        for row in np.argsort(-squares, kind="stable")[:cases]:
            values = np.stack([part[row] for part in parts.values()], axis=1).ravel()
            novelty = f"{answers.novelty[row]:.4g}"
            writer.writerow(
                [row, f"{squares[row]:.4g}", novelty, *(f"{value:.6g}" for value in values)]
            )
