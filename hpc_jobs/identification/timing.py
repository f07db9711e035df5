"""How long one learned answer takes, measured where it is given."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.speedup import Lookups
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.by_network import Network, identify
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.measurement.file import Measurement

REPEATS = 5

Answered = TypeVar("Answered")


def time_network(
    campaign: Campaign, network: Network, measurement: Measurement, bias: MeshBias
) -> Lookups:
    """Ask the network for one measurement again and again."""
    return Lookups(network_s=_median(lambda: identify(campaign, network, [measurement], bias)))


class Refinement(Protocol):
    """What refines a network's answers: by_surrogate.Identifier, by_family.FamilyIdentifier."""

    def refine(self, measurement: Measurement, start: Estimate | None = None) -> Estimate:
        """Identify the sheet behind a measurement."""

    def surrogate(self, noise: Noise) -> Surrogate:
        """Return the fitted forward surrogate."""


def time_refinement(
    lookups: Lookups, identifier: Refinement, measurement: Measurement, start: Estimate
) -> Lookups:
    """Add the refinement and one forward answer; the first of all, which fits, counts apart."""
    fit_s = _seconds(lambda: identifier.refine(measurement, start))
    surrogate = identifier.surrogate(measurement.header.noise)
    middle = surrogate.parameters(np.zeros((1, surrogate.axes.shape[1])))
    return Lookups(
        network_s=lookups.network_s,
        refinement_s=_median(lambda: identifier.refine(measurement, start)),
        surrogate_s=_median(lambda: surrogate.simulate(middle)),
        fit_s=fit_s,
    )


def timed_engine(
    lookups: Lookups, ask: Callable[..., Answered], asked: Iterable[tuple[Any, ...]]
) -> tuple[tuple[Answered, ...], Lookups]:
    """Let the engine go on from refined answers; what that takes is part of the refinement.

    ask is called with each of `asked`. Returns its answers, and the lookups with their median time.
    """
    answers, seconds = list[Answered](), list[float]()
    for arguments in asked:
        start = time.perf_counter()
        answers.append(ask(*arguments))
        seconds.append(time.perf_counter() - start)
    if lookups.refinement_s is not None:
        whole_s = lookups.refinement_s + statistics.median(seconds)
        lookups = lookups.model_copy(update={"refinement_s": whole_s})
    return tuple(answers), lookups


def _median(ask: Callable[[], Any]) -> float:
    return statistics.median(_seconds(ask) for _ in range(REPEATS))


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
