"""Effective speedup of learning over computing, from measured times.

    S = T_seq (N_lookup + N_train) / (T_lookup N_lookup + (T_train + T_learn) N_train)

Fox et al., Learning Everywhere, 2019: T_seq is one classical answer, T_lookup one learned answer,
T_train the simulation of one training record and T_learn the share of the training in it.
"""

import math
from dataclasses import dataclass


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
