"""What must be known of all records before a packed file is written; gathered unit by unit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.dataset.shards import Shard
from hpc_jobs.dataset.spectrum import Moments

Float = NDArray[np.float64]

QUANTITIES = ("strains", "forces", "displacements")
"""Whose moments are taken."""
SPECTRUM_RECORDS = 20_000
"""Evenly out of all shards; more no longer move the components."""


@dataclass
class Census:
    """Counts, ranges of the targets, and moments of so many training records.

    Units are added in one fixed order, so that the last digit does not depend on who counted.
    """

    relative: NDArray[np.bool_]  # (targets,) to the level of the last forces
    times: int  # of a specimen's forces
    every: int  # of so many training records one is looked at for the moments; 0: of none
    train: int = 0
    test: int = 0
    weighted: bool = False  # whether some record counts for more or less than one
    by_status: Counter[str] = field(default_factory=Counter)
    low: Float | None = None
    high: Float | None = None
    strains: Moments = field(default_factory=Moments)
    forces: Moments = field(default_factory=Moments)  # of their logarithms
    displacements: Moments = field(default_factory=Moments)  # likewise; none without a timing

    def add(self, shard: Shard) -> None:
        """Take in some records of a shard."""
        own = ~shard.is_test
        train = shard.parameters[own]
        self.train += len(train)
        self.test += int(shard.is_test.sum())
        self.weighted |= bool((shard.weight[own] != 1).any())
        self.by_status.update(shard.by_status)
        if not len(train):
            return
        forces = np.log(shard.forces[own].astype(np.float64))
        seen = train - self.relative * level_of(forces, self.times)[:, None]
        self._stretch(seen.min(0), seen.max(0))
        if self.every:
            self.strains.add(shard.strains[own][:: self.every])
            self.forces.add(forces[:: self.every])
            if shard.displacements.shape[1]:
                self.displacements.add(np.log(shard.displacements[own][:: self.every]))

    def merge(self, other: "Census") -> None:
        """Take in what another unit's records say."""
        self.train += other.train
        self.test += other.test
        self.weighted |= other.weighted
        self.by_status.update(other.by_status)
        if other.low is not None and other.high is not None:
            self._stretch(other.low, other.high)
        self.strains.merge(other.strains)
        self.forces.merge(other.forces)
        self.displacements.merge(other.displacements)

    def _stretch(self, low: Float, high: Float) -> None:
        self.low = low if self.low is None else np.minimum(low, self.low)
        self.high = high if self.high is None else np.maximum(high, self.high)

    def limits(self) -> tuple[Float, Float]:
        """Lowest and highest value of each target, relative ones at the mean level."""
        assert self.low is not None and self.high is not None
        mean = float(level_of(self.forces.mean[None], self.times)[0])
        return self.low + self.relative * mean, self.high + self.relative * mean

    def arrays(self) -> dict[str, Any]:
        """Plain arrays, from which `from_arrays` makes the same census."""
        none = np.zeros(0)
        return {
            "census_train": self.train,
            "census_test": self.test,
            "census_weighted": self.weighted,
            "census_status": np.array(sorted(self.by_status), dtype="U32"),
            "census_counts": np.array([self.by_status[name] for name in sorted(self.by_status)]),
            "census_low": none if self.low is None else self.low,
            "census_high": none if self.high is None else self.high,
            **{
                f"census_{quantity}_{key}": value
                for quantity in QUANTITIES
                for key, value in getattr(self, quantity).arrays().items()
            },
        }

    def from_arrays(self, stored: Any) -> "Census":
        """Return the census of that kind which `arrays` told."""
        low, high = stored["census_low"], stored["census_high"]
        names, counts = stored["census_status"].tolist(), stored["census_counts"].tolist()
        return Census(
            relative=self.relative,
            times=self.times,
            every=self.every,
            train=int(stored["census_train"]),
            test=int(stored["census_test"]),
            weighted=bool(stored["census_weighted"]),
            by_status=Counter(dict(zip(names, counts, strict=True))),
            low=low if low.size else None,
            high=high if high.size else None,
            **{one: Moments.from_arrays(stored, f"census_{one}_") for one in QUANTITIES},
        )


def level_of(log_forces: Float, times: int) -> Float:
    """Mean over the specimens of each one's last logarithm (n,), of (n, specimens x times)."""
    return np.asarray(log_forces[:, times - 1 :: times].mean(1))


def merged(empty: Census, units: Iterable[Census]) -> Census:
    """Add units up, in their order; `empty` says of what kind they are."""
    for unit in units:
        empty.merge(unit)
    return empty
