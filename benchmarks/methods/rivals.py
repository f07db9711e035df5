"""Regressions that a network and the surrogate are compared with, all on the same components.

Each takes noise-free training records, measured strains and forces or None, and answers
(n, targets) in min-max units. Those that learn the inverse directly learn it from noisy copies.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.setting import Setting

Float = NDArray[np.float64]
QUADRATIC = 24
NEIGHBOURS = 8
LARGEST_GP, LARGEST_QUADRATIC = 3_000, 20_000
PENALTIES = 10.0 ** np.arange(-4, 3)
LENGTHS = (2.0, 4.0, 8.0, 16.0)


def mean(setting: Setting, seen: Float) -> Float:
    """Answer the mean of the training records to everything."""
    return np.tile(setting.scaled(setting.train.parameters).mean(0), (len(seen), 1))


def nearest(setting: Setting, seen: Float) -> Float:
    """Average the nearest noise-free records, weighted by their inverse distance."""
    from sklearn.neighbors import KNeighborsRegressor

    features = setting.clean()
    targets = setting.scaled(setting.train.parameters)
    model = KNeighborsRegressor(min(NEIGHBOURS, len(features)), weights="distance")
    return np.asarray(model.fit(features, targets).predict(seen))


def boosted_trees(setting: Setting, seen: Float) -> Float:
    """Gradient boosting on histograms, one model per target."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    features, targets = setting.noisy(copies=1)
    models = [
        HistGradientBoostingRegressor(
            max_iter=150, learning_rate=0.1, l2_regularization=1.0, random_state=0
        ).fit(features, target)
        for target in targets.T
    ]
    return np.stack([model.predict(seen) for model in models], axis=1)


def linear(setting: Setting, seen: Float) -> Float:
    """Ridge regression on the components."""
    return _ridge(setting, seen, lambda x: np.hstack([np.ones((len(x), 1)), x]))


def quadratic(setting: Setting, seen: Float) -> Float:
    """Ridge regression on the components and their products."""

    def terms(x: Float) -> Float:
        row, column = np.triu_indices(QUADRATIC)
        return np.hstack([np.ones((len(x), 1)), x, x[:, row] * x[:, column]])

    return _ridge(setting, seen, terms)


def gaussian_process(setting: Setting, seen: Float) -> Float:
    """Gaussian process with a squared exponential kernel; length and noise by held-out records."""
    features, targets = setting.noisy(copies=1)
    features, targets = features[:LARGEST_GP], targets[:LARGEST_GP]
    fitted = np.arange(len(features)) % 6 > 0

    def answer(length: float, penalty: float, x: Float, y: Float, asked: Float) -> Float:
        weights = np.linalg.solve(_kernel(x, x, length) + penalty * np.eye(len(x)), y - y.mean(0))
        return np.asarray(y.mean(0) + _kernel(asked, x, length) @ weights)

    def held_out(length: float, penalty: float) -> float:
        found = answer(length, penalty, features[fitted], targets[fitted], features[~fitted])
        return float(((found - targets[~fitted]) ** 2).sum())

    tried = [(length, penalty) for length in LENGTHS for penalty in (1e-4, 1e-3, 1e-2)]
    return answer(*min(tried, key=lambda one: held_out(*one)), features, targets, seen)


METHODS: dict[str, Callable[[Setting, Float], Float]] = {
    "mean": mean,
    "nearest neighbours": nearest,
    "boosted trees": boosted_trees,
    "PCA-ridge, linear": linear,
    "PCA-ridge, quadratic": quadratic,
    "Gaussian process": gaussian_process,
}

LARGEST = {"boosted trees": 25_000, "Gaussian process": 5_000}
"""Training records beyond which a method is not run: it takes too long, or would drop them."""


def _ridge(setting: Setting, seen: Float, terms: Callable[[Float], Float]) -> Float:
    """Choose the penalty on every sixth record, then fit to all."""
    copies = 4 if len(setting.train) < LARGEST_QUADRATIC else 1
    features, targets = setting.noisy(copies)
    x, asked = terms(features), terms(seen)
    held = np.arange(len(x)) % len(setting.train) % 6 == 0

    def fit(rows: NDArray[np.bool_], penalty: float) -> Float:
        gram = x[rows].T @ x[rows] + penalty * np.eye(x.shape[1])
        return np.asarray(np.linalg.solve(gram, x[rows].T @ targets[rows]))

    def missed(penalty: float) -> float:
        return float(((x[held] @ fit(~held, penalty) - targets[held]) ** 2).sum())

    return np.asarray(asked @ fit(np.ones(len(x), bool), min(PENALTIES, key=missed)))


def _kernel(a: Float, b: Float, length: float) -> Float:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0) / (2 * length**2)))
