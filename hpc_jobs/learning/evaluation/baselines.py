"""What a network has to beat: the mean, ridge regressions, and rivals that the caller names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.dataset.dataset import Dataset, Examples, scale, with_noise
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.spectrum import blocks

COMPONENTS = 32
QUADRATIC_COMPONENTS = 24
PENALTIES = 10.0 ** np.arange(-3, 4)
NOISE_COPIES = 4
LARGEST_FIT = 20_000  # records; more no longer move a regression of some hundred coefficients
_NOISE_TAG = 3

Float = NDArray[np.float64]
Features = Callable[[Float], Float]

Answering = Callable[[Examples], Float]
"""From noisy examples to estimates (n, targets), min-max units."""
Rival = Callable[[Dataset, bool], Answering]
"""Fitted to a dataset's training records, with forces or without; then it answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The strongest components of records, faded where the noise drowns them."""

    train: Float  # (n, k), noisy copies
    targets: Float  # (n, targets), min-max units
    validation: Float  # (n, k)
    test: Float  # (n, k)


def baseline_estimates(
    dataset: Dataset,
    validation: Examples,
    examples: Examples,
    *,
    forces: bool = False,
    rivals: Mapping[str, Answering] | None = None,
) -> dict[str, Float]:
    """Estimates (n, targets) in min-max units of every baseline, by name.

    The ridge penalty is chosen on the validation examples; all see the same noise as the network,
    and the forces if it does. rivals: other methods, fitted, by name.
    """
    seen = _seen(dataset, validation, examples, forces=forces)
    mean = np.broadcast_to(seen.targets.mean(0), (len(seen.test), seen.targets.shape[1]))
    return {
        "mean": np.array(mean),
        "pca_ridge": _ridge(_linear, seen, validation),
        "pca_ridge_quadratic": _ridge(_quadratic, seen, validation),
        **{name: answer(examples) for name, answer in (rivals or {}).items()},
    }


def _seen(dataset: Dataset, validation: Examples, test: Examples, *, forces: bool) -> Seen:
    facts, spectra = dataset.facts, dataset.spectra
    rows = dataset.fit_sample(LARGEST_FIT)
    names = (PackedFields.COMPONENTS, PackedFields.FORCE_COMPONENTS)[: 1 + forces]
    parameters, *stored = dataset.train.gather((PackedFields.PARAMETERS, *names), rows)
    variances = np.concatenate([spectra.strains.variances, *[spectra.forces.variances] * forces])
    strongest = np.argsort(-variances, kind="stable")[:COMPONENTS]
    gain = (np.sqrt(variances) / (variances + 1))[strongest]
    copies = NOISE_COPIES if len(rows) < LARGEST_FIT else 1
    clean = np.tile(np.hstack(stored)[:, strongest], (copies, 1))

    def faded(one: Examples) -> Float:
        parts = [spectra.strains.components(one.strains)]
        if forces:
            parts.append(spectra.forces.components(np.log(one.forces.astype(np.float64))))
        return np.asarray(np.hstack(parts)[:, strongest] * gain)

    return Seen(
        train=with_noise(clean, 1.0, [facts.noise_seed, _NOISE_TAG]) * gain,
        targets=np.tile(scale(parameters, facts.scaler), (copies, 1)).astype(np.float64),
        validation=faded(validation),
        test=faded(test),
    )


def _linear(components: Float) -> Float:
    return np.hstack([np.ones((len(components), 1)), components])


def _quadratic(components: Float) -> Float:
    row, column = np.triu_indices(min(QUADRATIC_COMPONENTS, components.shape[1]))
    return np.hstack([_linear(components), components[:, row] * components[:, column]])


def _ridge(features: Features, seen: Seen, validation: Examples) -> Float:
    """Answer the test records with the penalty that is best on the validation records."""
    x, held_out = features(seen.train), features(seen.validation)
    gram, moment, identity = x.T @ x, x.T @ seen.targets, np.eye(x.shape[1])
    candidates = [np.linalg.solve(gram + penalty * identity, moment) for penalty in PENALTIES]
    best = min(candidates, key=lambda one: float(((held_out @ one - validation.scaled) ** 2).sum()))
    return np.concatenate([features(seen.test[rows]) @ best for rows in blocks(len(seen.test))])
