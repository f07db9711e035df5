"""Errors of one network over a family's test sheets, beside the floor at the very same sheets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.goals import judged
from hpc_jobs.contract.answers import is_log_stress, label_of, strain_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.experiment import Sensitivities
from hpc_jobs.identification.family_answer import FIRST_SEEN, strain_reached
from hpc_jobs.learning.evaluation.coverage import coverage_of
from hpc_jobs.learning.models.trained_model import TrainedModel

GOAL = {4_300: 1.2, 25_000: 1.05}
CURVE_GOAL, CURVE_STRAIN = 0.003, 0.1
COVERAGE_GOAL = (0.87, 0.93)
ALIKE = 1e-5  # relative, of two float32

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """Mean square errors that no estimator falls below, by target, and at which test records."""

    variances: dict[str, float]
    rows: list[int]


def floor_of(
    found: Sensitivities, known: dict[str, float], examples: Examples, targets: tuple[str, ...]
) -> Floor:
    """Cramer-Rao variances of the sheets that are among the test records too."""
    natural, columns = found.natural, [targets.index(name) for name in QUANTITIES]
    tests = natural.physical(natural.centre + natural.spread * found.u)[:, : len(QUANTITIES)]
    rows, used = [], []
    for number, sheet in enumerate(tests):
        off = np.abs(examples.physical[:, columns] / sheet - 1).max(1)
        if off.min() < ALIKE:
            rows.append(int(off.argmin()))
            used.append(number)
    variances = {
        f"log_k@{name[2:-1]}" if name.startswith("k(") else name: float((sd[used] ** 2).mean())
        for name, sd in found.deviations(known).items()
    }
    return Floor(variances, rows)


def report(
    model: TrainedModel,
    campaign: Campaign,
    examples: Examples,
    floor: Floor,
    records: int,
) -> None:
    """Print each quantity's error over its floor, and how often intervals hold the truth."""
    asked = (examples.strains, examples.forces, examples.known)
    answers, ends = model.predict(*asked), model.intervals(*asked)
    errors = answers - examples.physical
    coverage = coverage_of(ends, examples.physical, model.targets, INTERVAL_LEVEL).targets
    print(f"{'':24}{'rms':>9}{'floor':>9}{'MSE ratio':>11}{'covered':>9}   by third of the box")
    ratios = []
    for k, name in enumerate(model.targets):
        bound = floor.variances.get(name)
        mse = float((errors[floor.rows, k] ** 2).mean())
        ratio = mse / bound if bound else float("nan")
        if name in QUANTITIES:
            ratios.append(ratio)
        held = coverage[name]
        thirds = " ".join(f"{one.share:.2f}" for one in held.regions.values())
        least = f"{bound**0.5:9.4f}" if bound else f"{'':>9}"
        print(f"{label_of(name):24}{mse**0.5:9.4f}{least}{ratio:11.2f}{held.share:9.3f}   {thirds}")
    if ratios:
        goal = max((size for size in GOAL if size <= records), default=min(GOAL))
        mean = float(np.mean(ratios))
        judged(f"mechanical values over the floor, {records} records", mean, GOAL[goal])
    _judge_curve(model, campaign, examples, errors)
    shares = [one.share for one in coverage.values()]
    low, high = COVERAGE_GOAL
    outside = sum(not low <= share <= high for share in shares)
    judged(f"quantities of {len(shares)} covered outside {low:.0%} to {high:.0%}", outside, 0)


def _judge_curve(
    model: TrainedModel, campaign: Campaign, examples: Examples, errors: FloatArray
) -> None:
    """Median errors of k(p), each node that is reported, where the sheet was strained so far."""
    specimens, noise = campaign.specimens, campaign.noise.strain
    reached = np.array([strain_reached(row, specimens, noise) for row in examples.strains])
    medians = {}
    for k, name in enumerate(model.targets):
        if is_log_stress(name) and FIRST_SEEN <= strain_of(name) <= CURVE_STRAIN:
            seen = reached >= strain_of(name)
            if seen.any():
                medians[name] = float(np.median(np.abs(errors[seen, k])))
    if medians:
        worst = max(medians, key=lambda name: medians[name])
        judged(f"k(p), p <= {CURVE_STRAIN:g}, worst {label_of(worst)}", medians[worst], CURVE_GOAL)
