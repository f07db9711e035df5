"""A surrogate of a coarse mesh, corrected by a few records of a fine one.

The difference between two meshes is smaller and smoother than either, so that a linear or a
quadratic polynomial of some dozen records gives it: Kennedy and O'Hagan, Biometrika 87, 2000.
What of it lies outside the coarse records' principal components gets components of its own.
"""

from dataclasses import replace

import numpy as np

from hpc_jobs.forward.polynomial import Monomials
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.forward.surrogate import Surrogate, best_polynomial

DEGREES = (0, 1, 2)
NEW_COMPONENTS = 12


def corrected(surrogate: Surrogate, fine: ForwardRecords) -> Surrogate:
    """Return a surrogate of the fine mesh; its error covariance is that of the corrected one.

    The fine records' forces must be there if the surrogate's are.
    """
    seen = surrogate.observables
    u = surrogate.coordinates(fine.parameters)
    measured = seen.of(fine.strains, fine.forces)
    missed = measured - seen.mean - surrogate.respond(u)[0] @ seen.vectors.T
    inside = missed @ seen.vectors
    outside = missed - inside @ seen.vectors.T
    new = np.linalg.svd(outside, full_matrices=False)[2][: min(NEW_COMPONENTS, len(fine) - 1)].T
    outputs = np.hstack([inside, outside @ new])
    own = surrogate.monomials
    difference, correction, left = best_polynomial(
        u, outputs, outputs.shape[1], DEGREES, own.weights
    )
    joint = Monomials(u.shape[1], max(difference.degree, own.degree), own.weights)
    coefficients = np.zeros((len(joint.exponents), outputs.shape[1] + len(surrogate.low)))
    old, kept, rows = surrogate.coefficients, surrogate.components, _places(own, joint)
    coefficients[rows, :kept] = old[:, :kept]
    coefficients[rows, outputs.shape[1] :] = old[:, kept:]
    coefficients[_places(difference, joint), : outputs.shape[1]] += correction
    return replace(
        surrogate,
        observables=replace(seen, vectors=np.hstack([seen.vectors, new])),
        monomials=joint,
        coefficients=coefficients,
        error=left.T @ left / len(left),
    )


def _places(some: Monomials, joint: Monomials) -> list[int]:
    """Return where each of some monomials stands among all: with weights others come between."""
    places = {tuple(row): place for place, row in enumerate(joint.exponents.tolist())}
    return [places[tuple(row)] for row in some.exponents.tolist()]
