"""A trained network on the off-grid test set: looked at once, beside the baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.dataset.dataset import Dataset, Examples
from hpc_jobs.learning.evaluation.baselines import Answering, baseline_estimates
from hpc_jobs.learning.evaluation.coverage import Coverage, Intervals, coverage_of
from hpc_jobs.learning.evaluation.metrics import Errors, errors_of


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model says of n records."""

    scaled: NDArray[np.floating[Any]]  # (n, targets), min-max units
    intervals: Intervals
    level: float  # of the intervals
    novelty: NDArray[np.floating[Any]]  # (n,); above 1 unlike the training records


class TestReport(Frozen):
    """metrics.json: errors of the network and of each baseline, on the same noisy records."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    schema_version: Literal[1] = 1
    records: int
    network: Errors
    baselines: dict[str, Errors]
    loses_to: Annotated[
        tuple[str, ...], Field(description="baselines whose sum over the tasks is lower")
    ]
    beaten_at: Annotated[
        dict[str, tuple[str, ...]], Field(description="target -> baselines that are better there")
    ]
    novel_share: Annotated[
        FiniteFloat, Field(description="of the test records, flagged as unlike the training ones")
    ]
    coverage: Annotated[Coverage, Field(description="of the network's intervals")]


def report_on_test_set(
    answers: Answers,
    dataset: Dataset,
    validation: Examples,
    test: Examples,
    *,
    forces: bool = False,
    rivals: Mapping[str, Answering] | None = None,
) -> TestReport:
    """Compare a network's answers with the truth and with the baselines' estimates.

    forces: whether the network saw them; then the baselines do, too. rivals: others, fitted.
    """
    scaler = dataset.facts.scaler
    network = errors_of(answers.scaled, test, scaler)
    estimates = baseline_estimates(dataset, validation, test, forces=forces, rivals=rivals)
    baselines = {name: errors_of(one, test, scaler) for name, one in estimates.items()}
    better = {
        target: tuple(
            name
            for name, errors in baselines.items()
            if errors.targets[target].mse < network.targets[target].mse
        )
        for target in scaler.targets
    }
    return TestReport(
        records=len(test.strains),
        network=network,
        baselines=baselines,
        loses_to=tuple(n for n, errors in baselines.items() if errors.sum_mse < network.sum_mse),
        beaten_at={target: names for target, names in better.items() if names},
        novel_share=float((answers.novelty > 1).mean()),
        coverage=coverage_of(answers.intervals, test.physical, scaler.targets, answers.level),
    )
