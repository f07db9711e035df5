"""Where in the box of mechanical values records failed."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.records import ShardFields
from hpc_jobs.fem.records.shard_file import ShardFile

BINS = 5  # of equal count, by the quantiles of each mechanical value
AXES = tuple(MechanicalBox.model_fields)
LABELS = ("σ45/σ0", "σ90/σ0", "σb/σ0", "r0", "r45", "r90", "rb")


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Failure rates by bin: edges (7, BINS + 1), rates (7, BINS), and the records' statuses."""

    edges: NDArray[np.float64]
    rates: NDArray[np.float64]
    by_status: dict[str, int]
    by_region: dict[str, NDArray[np.float64]]  # status -> rates (7, BINS)

    @property
    def worst(self) -> tuple[int, int]:
        """Axis and bin of the highest failure rate."""
        axis, place = np.unravel_index(int(self.rates.argmax()), self.rates.shape)
        return int(axis), int(place)

    def named(self, axis: int, place: int) -> str:
        """Say which interval a bin is."""
        low, high = self.edges[axis, place : place + 2]
        return f"{LABELS[axis]} in [{low:.3g}, {high:.3g}]"


def split(tests: NDArray[np.float64], shard: ShardFile) -> Regions:
    """Bin the failures of a shard by the mechanical values (n, 7) of its records."""
    quantiles = np.linspace(0, 1, BINS + 1)
    edges = np.quantile(tests, quantiles, axis=0).T
    bins = np.stack(
        [np.searchsorted(edges[axis, 1:-1], tests[:, axis]) for axis in range(len(AXES))]
    )
    statuses = shard.columns[ShardFields.STATUS]
    counted = Counter(shard.status_names[code] for code in statuses)
    failures = {name for name in counted if name != "ok"}

    def rates(failed: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.array([[failed[row == place].mean() for place in range(BINS)] for row in bins])

    return Regions(
        edges=edges,
        rates=rates(~shard.ended("ok")),
        by_status=dict(counted.most_common()),
        by_region={name: rates(shard.ended(name)) for name in sorted(failures)},
    )
