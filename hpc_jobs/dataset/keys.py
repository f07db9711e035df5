"""The order of the records: that of random keys, which each record has by itself.

A key is a pure function of (seed, generation, split, round, point). Sorted by it, records lie in a
uniformly random order, whoever sorts them, in whatever parts; and those of one range of keys, a
bucket, can be put into their final order without a look at any other record.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


def keys_of(origin: NDArray[np.int64], seed: int, generation: int, *, test: bool) -> Keys:
    """Keys (n,) of records that come from (n, 2) round and row of its design."""
    first, second = np.random.SeedSequence([seed, generation, int(test)]).generate_state(
        2, np.uint64
    )
    rounds, points = origin.astype(np.uint64).T
    return _mixed(_mixed(points + first) ^ _mixed(rounds + second))


def buckets_of(keys: Keys, buckets: int) -> NDArray[np.int64]:
    """Bucket (n,) of each key, ascending with the key; all are equally likely."""
    high = keys >> np.uint64(32)
    return ((high * np.uint64(buckets)) >> np.uint64(32)).astype(np.int64)


def sorted_by_key(keys: Keys, origin: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places (n,) of records in their final order; equal keys are told apart by their origin."""
    return np.lexsort((origin[:, 1], origin[:, 0], keys))


def _mixed(values: Keys) -> Keys:
    """Scramble 64 bits one to one: Steele, Lea & Flood 2014, SplitMix64."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
