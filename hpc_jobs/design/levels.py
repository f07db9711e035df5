"""Which mesh each point of a round is simulated on, where a campaign mixes them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GOLDEN_RATIO = (5**0.5 - 1) / 2


def mesh_levels(shares: Sequence[float], is_test: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Level (n,) of each point: its index in Campaign.levels, 0 the campaign's own mesh.

    Multiples of the golden ratio spread each level evenly over a round, and so over its shards.
    They have nothing in common with the digits that the Sobol sequence is made of, so that the
    points of each level fill the box too. Test points all lie on the campaign's own mesh.
    """
    position = GOLDEN_RATIO * np.arange(1, len(is_test) + 1) % 1
    level = (np.searchsorted(np.cumsum(shares), position, side="right") + 1) % (len(shares) + 1)
    return np.where(is_test, 0, level).astype(np.uint8)
