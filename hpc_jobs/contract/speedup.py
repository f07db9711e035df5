"""What learning was worth against computing, from measured times.

First what was paid: all that the classical answers would have cost over all that the learned ones
did, records and training included. It crosses 1 at the break-even:

    R = T_seq N_lookup / (T_lookup N_lookup + (T_train + T_learn) N_train)

Beside it the effective speedup of Fox et al., Learning Everywhere, 2019, which counts every
training record as an answer that somebody wanted, and so is large however few are asked:

    S = T_seq (N_lookup + N_train) / (T_lookup N_lookup + (T_train + T_learn) N_train)

T_seq is one classical answer, T_lookup one learned answer, T_train the simulation of one training
record and T_learn the share of the training in it. Both tend to T_seq / T_lookup.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen, Positive, Slug


class Lookups(Frozen):
    """What one learned answer took on the cluster that identifies, s: medians of some."""

    network_s: Annotated[Positive, Field(description="one measurement, its checks included")]
    refinement_s: Annotated[
        Positive | None, Field(description="one measurement: fitted surrogate, a family's engine")
    ] = None
    surrogate_s: Annotated[
        Positive | None, Field(description="one simulation's strains and forces")
    ] = None
    fit_s: Annotated[
        Positive | None, Field(description="of the forward surrogate, once for all answers")
    ] = None


class Updating(Frozen):
    """One measurement, identified by classical FEM updating: what the learned answers replace."""

    measurement: Slug
    parameters: dict[str, FiniteFloat]
    simulations: Annotated[int, Field(ge=1)]
    seconds: Positive


class LookupCosts(Frozen):
    """What one learned answer costs beside the classical one that it replaces, s."""

    sequential_s: float
    lookup_s: float
    train_s: float
    learn_s: float
    train_records: int

    def learned_s(self, lookups: int) -> float:
        """All that so many learned answers cost, records and training included, s."""
        return self.lookup_s * lookups + (self.train_s + self.learn_s) * self.train_records

    def cost_ratio(self, lookups: int) -> float:
        """R at that many lookups: below 1 the classical answers would have been cheaper."""
        return self.sequential_s * lookups / self.learned_s(lookups)

    def effective_speedup(self, lookups: int) -> float:
        """S at that many lookups."""
        return self.sequential_s * (lookups + self.train_records) / self.learned_s(lookups)

    @property
    def limit(self) -> float:
        """R and S at infinitely many lookups: T_seq / T_lookup."""
        return self.sequential_s / self.lookup_s

    @property
    def break_even(self) -> float:
        """Lookups from which on learning was cheaper than the same answers computed.

        T_seq N > T_lookup N + (T_train + T_learn) N_train; infinite where a lookup is no cheaper.
        """
        gain = self.sequential_s - self.lookup_s
        invested = (self.train_s + self.learn_s) * self.train_records
        return math.ceil(invested / gain) if gain > 0 else math.inf


Answer = Literal["network", "refinement", "surrogate"]
ANSWERS: dict[Answer, str] = {
    "network": "network for FEM updating",
    "refinement": "refinement for FEM updating",
    "surrogate": "surrogate for one simulation",
}
"""What is learned, and what it replaces."""


class SpeedupReport(Frozen):
    """What a campaign's learning was worth, from what its jobs measured."""

    simulation_s: Annotated[float, Field(description="of one simulation, where it identified")]
    updating_s: Annotated[float, Field(description="of one identification by FEM updating")]
    updating_simulations: int
    record_s: Annotated[float, Field(description="core-seconds of one training record")]
    records: Annotated[int, Field(description="that the networks learned from")]
    lookups: Annotated[tuple[int, ...], Field(description="at which ratio and S are told")]
    answers: Annotated[dict[Answer, LookupCosts], Field(min_length=1)]

    @property
    def heads(self) -> list[str]:
        """Heads of the table, as a person reads it in the terminal and on the page."""
        return ["", *(ANSWERS[name] for name in self.answers)]

    @property
    def rows(self) -> list[list[str]]:
        """Cells of that table: what was paid first, then Fox's S."""
        lines: list[tuple[str, Callable[[LookupCosts], str]]] = [
            ("classical answer", lambda costs: f"{costs.sequential_s:.3g} s"),
            ("learned answer", lambda costs: f"{costs.lookup_s:.3g} s"),
            ("cheaper from (answers)", _pays_from),
        ]
        for count in self.lookups:
            lines.append((f"cost ratio at {count:,}", partial(_cost_ratio, count)))
        lines.append(("limit of both", lambda costs: f"{costs.limit:.3g}"))
        for count in self.lookups:
            lines.append((f"Fox's S at {count:,}", partial(_effective_speedup, count)))
        return [[label, *map(cell, self.answers.values())] for label, cell in lines]


def _pays_from(costs: LookupCosts) -> str:
    return "never" if math.isinf(costs.break_even) else f"{int(costs.break_even):,}"


def _cost_ratio(lookups: int, costs: LookupCosts) -> str:
    return f"{costs.cost_ratio(lookups):.3g}"


def _effective_speedup(lookups: int, costs: LookupCosts) -> str:
    return f"{costs.effective_speedup(lookups):.3g}"
