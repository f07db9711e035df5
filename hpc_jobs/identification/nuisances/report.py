"""What an examination found, in words and numbers: suspects, goodness of fit, reservations."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import Examination, Suspect
from hpc_jobs.identification.nuisances.arrangements import Arrangement
from hpc_jobs.identification.nuisances.examiner import Examiner
from hpc_jobs.identification.nuisances.kinds import KIND, in_words
from hpc_jobs.identification.nuisances.models import (
    Explanation,
    Mistake,
    Problem,
    mixture,
    search,
    weights,
)

CHANCE = 1e-3
"""Probability with which chance alone leaves more, or less, than the limits of a residual."""
TOO_GOOD = 0.7
"""Of the noise: a residual below this is as suspect as one that is too large."""
LIKELY, POSSIBLE = 0.5, 0.1  # of a suspect's probability
NEARLY_NONE = 0.01
NOTICED_SIGMAS = 3.0
MOST_SUSPECTS = 5

FloatArray = NDArray[np.float64]
Finding = Literal["fits", "misfit", "too_good"]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One order of a measurement's values, and its problem."""

    examiner: Examiner
    problem: Problem
    arrangement: Arrangement | None
    faults: tuple[Suspect, ...]
    chance: float  # logarithm of its prior probability

    def explanations(self) -> list[Explanation]:
        """Return all explanations in this order, the order's chance among their evidence."""
        order = set[Mistake]() if self.arrangement is None else {(self.arrangement.name, None)}
        return [
            replace(
                one,
                mistakes=one.mistakes | order,
                log_evidence=one.log_evidence + self.chance,
            )
            for one in search(self.problem)
        ]

    def widened(self, factor: float) -> "Told":
        """Return it with all noise so much larger."""
        return replace(self, problem=replace(self.problem, noise_factor=factor, _kept={}))


def report(
    campaign: Campaign, orders: list[Told], plain: float
) -> tuple[Examination, Explanation, FloatArray]:
    """Sum up all orders: the examination, the usual explanation, and the unknowns' covariance.

    plain: chi-square of the measurement as it is, with nothing grossly wrong.
    """
    everything = [one.explanations() for one in orders]
    first = int(np.argmax([ones[0].log_evidence for ones in everything]))
    rows = len(orders[first].problem.residual)
    usual = orders[first].problem.explain(frozenset())
    lowest, highest = np.sqrt(chdtri(rows, [1 - CHANCE, CHANCE]) / rows)
    rms = float(np.sqrt(everything[first][0].chi_square / rows))
    widened = max(1.0, rms) if rms > highest else 1.0
    if widened > 1:
        orders = [one.widened(widened) for one in orders]
        everything = [one.explanations() for one in orders]
    main = orders[first]
    together = [*everything[first], *(ones[0] for i, ones in enumerate(everything) if i != first)]
    mean, covariance = mixture(together)
    suspects = (*main.faults, *_suspects(main, orders, together, (plain, usual)))[:MOST_SUSPECTS]
    finding: Finding = (
        "misfit" if rms > highest else "too_good" if rms < TOO_GOOD * lowest else "fits"
    )
    examiner, deviations = main.examiner, np.sqrt(np.diagonal(covariance))
    sheets, tests = examiner.sheets, campaign.specimens.tests
    examination = Examination(
        finding=finding,
        rms=rms,
        rms_limits=(float(TOO_GOOD * lowest), float(highest)),
        values=rows,
        widened=widened,
        undone=tuple(one.words for one in suspects if one.probability > LIKELY),
        suspects=suspects,
        nuisances={
            column.label(tests): (float(mean[sheets + i]), float(deviations[sheets + i]))
            for i, column in enumerate(examiner.response.columns)
        },
        quantities={
            axis: (float(mean[i]), float(deviations[i]))
            for i, axis in enumerate(examiner.response.axes)
        },
        residuals=_residual_map(main, everything[first][0]),
        reservations=_reservations(finding, rms, (lowest, highest), suspects),
    )
    return examination, usual, covariance


def _suspects(
    main: Told,
    orders: list[Told],
    explanations: list[Explanation],
    usual: tuple[float, Explanation],
) -> tuple[Suspect, ...]:
    """Mistakes by probability, then by what they explain."""
    shares = weights(explanations)
    words = {one.arrangement.name: one.arrangement.words for one in orders if one.arrangement}
    found = []
    for mistake in sorted({m for one in explanations for m in one.mistakes}, key=str):
        with_it = [i for i, one in enumerate(explanations) if mistake in one.mistakes]
        probability = float(sum(shares[i] for i in with_it))
        best = explanations[min(with_it, key=lambda i: -explanations[i].log_evidence)]
        problem = main.problem
        alone = problem.explain(frozenset({mistake})) if mistake[0] in KIND else best
        before = usual[1].chi_square if mistake[0] in KIND else usual[0]
        fall = before / problem.noise_factor**2 - alone.chi_square
        sigmas = float(np.sqrt(max(fall, 0.0)))
        if probability < POSSIBLE and sigmas < NOTICED_SIGMAS:
            continue
        if mistake[0] in KIND:
            suspect = _suspect(mistake, probability, sigmas, best, main.examiner)
            if suspect.value > 0 or not KIND[mistake[0]].positive:
                found.append(suspect)
        else:
            found.append(_as_suspect(mistake[0], words[mistake[0]], probability, sigmas))
    if any(one.probability > LIKELY for one in found):  # explains what the others feigned
        found = [one for one in found if one.probability > NEARLY_NONE]
    found.sort(key=lambda one: (-one.probability, -one.sigmas))
    return tuple(found)


def _as_suspect(name: str, words: str, probability: float, sigmas: float) -> Suspect:
    return Suspect(
        name=name,
        words=words,
        sigmas=sigmas,
        probability=min(probability, 1.0),
        value=1.0,
        deviation=0.0,
        unit="1",
    )


def _suspect(
    mistake: Mistake,
    probability: float,
    sigmas: float,
    best: Explanation,
    examiner: Examiner,
) -> Suspect:
    name, specimen = mistake
    tests, columns = examiner.campaign.specimens.tests, examiner.response.columns
    at = [
        examiner.sheets + i
        for i, column in enumerate(columns)
        if column.kind.name == name and specimen in (None, column.specimen)
    ]
    value = float(np.mean(best.mean[at]))
    deviation = float(np.sqrt(best.covariance[at[0], at[0]]))
    kind = KIND[name]
    where = "" if kind.shared else "in all specimens"
    if specimen is not None:
        where = f"in specimen {tests[specimen].label}"
    return Suspect(
        name=name if specimen is None else f"{name}@{tests[specimen].label.replace(' ', '-')}",
        words=in_words(kind, value, tests[specimen or 0], where),
        sigmas=sigmas,
        probability=min(probability, 1.0),
        value=value,
        deviation=deviation,
        unit=kind.unit,
    )


def _reservations(
    finding: str, rms: float, limits: tuple[float, float], suspects: tuple[Suspect, ...]
) -> tuple[str, ...]:
    found = []
    if finding == "misfit":
        found.append(
            f"what no sheet and no likely error explains is {rms:.2f} noise, and chance leaves at "
            f"most {limits[1]:.2f}: the intervals are {rms:.2f} times wider for it"
        )
    if finding == "too_good":
        found.append(
            f"what is left is {rms:.2f} noise, far less than chance leaves: is the noise "
            "overstated, or were the strains smoothed?"
        )
    for one in suspects:
        if one.probability > LIKELY:
            done = "left out" if one.unit == "noise" else "undone"
            found.append(f"the measurement looks {one.words} ({one.sigmas:.1f} sigma): {done}")
    maybe = [one for one in suspects if POSSIBLE < one.probability <= LIKELY]
    certain = [one for one in suspects if LIKELY < one.probability < 1 - POSSIBLE]
    if len(maybe) + len(certain) > 1:
        either = ", or ".join(f"{one.words} ({one.probability:.0%})" for one in (*certain, *maybe))
        found.append(
            f"the data cannot tell whether the measurement looks {either}: the intervals cover each"
        )
    elif maybe:
        found.append(
            f"the measurement may look {maybe[0].words} ({maybe[0].sigmas:.1f} sigma): the "
            "intervals cover it"
        )
    return tuple(found)


def _residual_map(told: Told, best: Explanation) -> tuple[float | None, ...]:
    """Rms of both strains at [specimen, patch, time] in units of the noise."""
    problem, measured = told.problem, told.examiner.measured
    left = problem.residual + problem.jacobian @ (problem.at - best.mean)
    every = np.full(len(measured), np.nan)
    every[np.isfinite(measured)] = left
    specimens = told.examiner.campaign.specimens
    strains = every[: specimens.strain_values].reshape(2, -1)
    rms = np.sqrt((strains**2).mean(axis=0))
    return tuple(round(float(value), 2) if np.isfinite(value) else None for value in rms)
