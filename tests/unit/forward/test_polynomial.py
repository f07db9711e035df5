"""Monomials against numpy's own powers; derivatives against finite differences."""

import numpy as np

from hpc_jobs.forward.polynomial import Monomials


def test_every_monomial_up_to_the_degree_once():
    monomials = Monomials(3, 4)
    exponents = monomials.exponents
    assert len(exponents) == Monomials.count(3, 4) == 35
    assert len({tuple(row) for row in exponents.tolist()}) == 35
    assert exponents.sum(1).max() == 4 and (np.diff(exponents.sum(1)) >= 0).all()
    u = np.random.default_rng(1).normal(size=(6, 3))
    np.testing.assert_allclose(
        monomials(u), np.prod(u[:, None] ** exponents[None], axis=2), rtol=1e-13
    )


def test_derivatives_are_those_of_finite_differences():
    rng = np.random.default_rng(2)
    monomials, u = Monomials(4, 5), rng.uniform(-1, 1, (5, 4))
    coefficients = rng.normal(size=(len(monomials.exponents), 3))
    slopes = monomials.derivatives(coefficients)
    for k in range(4):
        step = np.eye(4)[k] * 1e-6
        expected = (monomials(u + step) - monomials(u - step)) @ coefficients / 2e-6
        np.testing.assert_allclose(monomials(u) @ slopes[k], expected, rtol=1e-6, atol=1e-7)
