"""Draws of a posterior that is known at its maximum: value, slopes, and the law of the box.

Where the search asked the FEM itself, another thousand simulations for a sample of the posterior
are too dear. Near its maximum the likelihood is a normal law, whose covariance the search leaves
behind; the law by which sheets are drawn is known everywhere. Samples of the one are weighted by
the other, so that values that the data leave open, as the biaxial r-value, end where the box does.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.forward.natural import Natural
from hpc_jobs.identification.posterior import FEWEST, Proposals

SAMPLES = 8192

FloatArray = NDArray[np.float64]


def draws_in_box(
    natural: Natural, u: FloatArray, covariance: FloatArray, wide: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Return samples (n, coordinates) and weights (n,) of sum one; none for a sheet outside.

    u, covariance: maximum of the posterior and its normal law there, found with normal laws of
    these deviations `wide` (coordinates,) about 0 in place of the box, infinite where there was
    none: they are taken out again, and the box's own law put in.
    """
    factor = np.linalg.cholesky(covariance)
    proposals = Proposals.of(SAMPLES, len(u))
    drawn = u + proposals.offsets @ factor.T
    nuisances = 0.5 * (drawn[:, natural.nuisance] ** 2).sum(1)  # part of the normal law already
    law = natural.log_prior(drawn) + nuisances + 0.5 * ((drawn / wide) ** 2).sum(1)
    inside = np.isfinite(law)
    if not inside.any():
        return None
    normal = -0.5 * (proposals.offsets[inside] ** 2).sum(1)
    logarithms = law[inside] + normal - proposals.log_density[inside]
    weights = np.exp(logarithms - logarithms.max())
    weights /= weights.sum()
    if 1 / (weights**2).sum() < FEWEST:
        return None
    return drawn[inside], weights
