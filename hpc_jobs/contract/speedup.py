"""Effective speedup of learning over computing, from measured times.

    S = T_seq (N_lookup + N_train) / (T_lookup N_lookup + (T_train + T_learn) N_train)

Fox et al., Learning Everywhere, 2019: T_seq is one classical answer, T_lookup one learned answer,
T_train the simulation of one training record and T_learn the share of the training in it.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen, Positive, Slug


class Lookups(Frozen):
    """What one learned answer took on the cluster that identifies, s: medians of some."""

    network_s: Annotated[Positive, Field(description="one measurement, its checks included")]
    refinement_s: Annotated[
        Positive | None, Field(description="one measurement, by the fitted forward surrogate")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured, in seconds."""

    sequential_s: float
    lookup_s: float
    train_s: float
    learn_s: float
    train_records: int

    def effective_speedup(self, lookups: int) -> float:
        """S at that many lookups."""
        learned = self.lookup_s * lookups + (self.train_s + self.learn_s) * self.train_records
        return self.sequential_s * (lookups + self.train_records) / learned

    @property
    def limit(self) -> float:
        """S at infinitely many lookups: T_seq / T_lookup."""
        return self.sequential_s / self.lookup_s

    @property
    def break_even(self) -> float:
        """Lookups from which on learning was cheaper than the same answers computed.

        T_seq N > T_lookup N + (T_train + T_learn) N_train; infinite where a lookup is no cheaper.
        """
        gain = self.sequential_s - self.lookup_s
        invested = (self.train_s + self.learn_s) * self.train_records
        return math.ceil(invested / gain) if gain > 0 else math.inf
