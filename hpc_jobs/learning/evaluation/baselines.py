"""What a network has to beat: the mean, ridge regressions, and the forward surrogate inverted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.learning.data.dataset import Dataset, Examples, Strains, scale, with_noise
from hpc_jobs.learning.forward.gauss_newton import refine
from hpc_jobs.learning.forward.records import LARGEST_FIT as FORWARD_RECORDS
from hpc_jobs.learning.forward.records import ForwardRecords
from hpc_jobs.learning.forward.surrogate import fit_surrogate
from hpc_jobs.learning.networks.inputs import Spectrum, spectrum_of

COMPONENTS = 32
QUADRATIC_COMPONENTS = 24
PENALTIES = 10.0 ** np.arange(-3, 4)
NOISE_COPIES = 4
LARGEST_FIT = 20_000  # records; more no longer move a regression of some hundred coefficients
_NOISE_TAG = 3

Float = NDArray[np.float64]
Features = Callable[[Strains], Float]


@dataclass(frozen=True, slots=True)
class Ridge:
    """Linear in its features; `predict` answers in min-max units."""

    features: Features
    coefficients: Float

    def predict(self, strains: Strains) -> Float:
        """(n, strain_values) -> (n, targets)."""
        return np.asarray(self.features(strains) @ self.coefficients)


def baseline_estimates(
    dataset: Dataset, validation: Examples, examples: Examples
) -> dict[str, Float]:
    """Estimates (n, targets) in min-max units of every baseline, by name.

    The ridge penalty is chosen on the validation examples; all see the same noise as the network.
    """
    facts = dataset.facts
    rows = dataset.fit_rows[:LARGEST_FIT]
    strains, parameters = dataset.train.take(rows)
    spectrum = spectrum_of(dataset.blocks(LARGEST_FIT), facts.noise_strain, COMPONENTS)
    copies = NOISE_COPIES if len(rows) < LARGEST_FIT else 1
    noisy = with_noise(
        np.tile(strains, (copies, 1)), facts.noise_strain, [facts.noise_seed, _NOISE_TAG]
    )
    targets = np.tile(scale(parameters, facts.scaler), (copies, 1)).astype(np.float64)
    mean = np.broadcast_to(targets.mean(0), (len(examples.strains), targets.shape[1]))
    linear = _fit(_linear(spectrum), noisy, targets, validation)
    quadratic = _fit(_quadratic(spectrum), noisy, targets, validation)
    return {
        "mean": np.array(mean),
        "pca_ridge": linear.predict(examples.strains),
        "pca_ridge_quadratic": quadratic.predict(examples.strains),
        "surrogate": _refined(dataset, strains, parameters, examples),
    }


def _refined(
    dataset: Dataset,
    strains: Strains,
    parameters: NDArray[np.float32],
    examples: Examples,
) -> Float:
    """Gauss-Newton on the forward surrogate, from strains alone as the networks."""
    low, high = np.array(dataset.facts.scaler.low), np.array(dataset.facts.scaler.high)
    records = ForwardRecords(parameters[:FORWARD_RECORDS], strains[:FORWARD_RECORDS], None)
    surrogate = fit_surrogate(records, (low, high), (dataset.facts.noise_strain, 1.0))
    found = refine(surrogate, examples.strains)
    return np.asarray((found.parameters - low) / (high - low))


def _linear(spectrum: Spectrum) -> Features:
    gain = np.sqrt(spectrum.variances) / (spectrum.variances + 1) / spectrum.noise

    def features(strains: Strains) -> Float:
        components = (strains - spectrum.mean) @ (spectrum.vectors * gain)
        return np.hstack([np.ones((len(components), 1)), components])

    return features


def _quadratic(spectrum: Spectrum) -> Features:
    linear = _linear(spectrum)

    def features(strains: Strains) -> Float:
        first = linear(strains)
        row, column = np.triu_indices(min(QUADRATIC_COMPONENTS, first.shape[1] - 1))
        return np.hstack([first, first[:, 1 + row] * first[:, 1 + column]])

    return features


def _fit(features: Features, strains: Strains, targets: Float, validation: Examples) -> Ridge:
    x = features(strains)
    gram, moment, identity = x.T @ x, x.T @ targets, np.eye(x.shape[1])
    candidates = [
        Ridge(features, np.linalg.solve(gram + penalty * identity, moment)) for penalty in PENALTIES
    ]
    seen = features(validation.strains)
    return min(
        candidates,
        key=lambda one: float(((seen @ one.coefficients - validation.scaled) ** 2).sum()),
    )
