"""Scrambled Sobol sequences that can be continued where an earlier round stopped."""

import numpy as np
from numpy.typing import NDArray

TRAIN, TEST = 0, 1
"""The streams of a seed: the same sequence under two independent scrambles."""


def sobol_points(
    seed: int, stream: int, dimensions: int, start: int, count: int
) -> NDArray[np.float64]:
    """Points [start, start + count) of a stream's sequence, (count, dimensions) in [0, 1).

    Owen, J. Complexity 14 (1998) 466-489; the direction numbers are those of Joe and Kuo (2008).
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(d=dimensions, scramble=True, rng=np.random.default_rng([seed, stream]))
    if start > 0:
        engine.fast_forward(start)
        return np.asarray(engine.random(count))
    # The first draw must be a power of two, or scipy warns about lost balance.
    whole = engine.random_base2(max(count - 1, 0).bit_length())
    return np.asarray(whole[:count])
