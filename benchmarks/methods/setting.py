"""One comparison: the records that all methods learn from, and the units they answer in."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.records import Records
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.design.mechanical import places_of
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate
from hpc_jobs.identification.prior import BoxLaw, fit_box_law

Float = NDArray[np.float64]
COMPONENTS = 32
LAW_RECORDS = 3_000
SIGNAL_RECORDS = 20_000
BLOCK = 5_000  # records at a time


def forward(records: Records, *, forces: bool) -> ForwardRecords:
    """Return the records as a surrogate learns from them."""
    return ForwardRecords(records.parameters, records.strains, records.forces if forces else None)


def measure(records: Records, noise: tuple[float, float], *, forces: bool) -> ForwardRecords:
    """Return test records as they are measured, with frozen noise."""
    rng = np.random.default_rng(90)
    strains = records.strains + noise[0] * rng.standard_normal(records.strains.shape)
    force = records.forces * (1 + noise[1] * rng.standard_normal(records.forces.shape))
    return ForwardRecords(records.parameters, strains, force if forces else None)


@dataclass(eq=False)
class Setting:
    """What is trained on, what is asked, in which units; what is fitted is fitted when needed."""

    campaign: Campaign
    records: Records
    limits: tuple[Float, Float]  # of the parameters (targets,): the frozen min-max units
    noise: tuple[float, float]  # of strains, and of forces relative
    test: ForwardRecords  # as measured; without forces, none are learned from either

    @cached_property
    def train(self) -> ForwardRecords:
        """Noise-free training records."""
        return forward(self.records, forces=self.test.forces is not None)

    @cached_property
    def surrogate(self) -> Surrogate:
        """The forward surrogate, whose components the regressions use as well."""
        return fit_surrogate(self.train, self.limits, self.noise)

    @cached_property
    def law(self) -> BoxLaw:
        """The law by which the campaign draws sheets."""
        parameters = self.records.parameters[:LAW_RECORDS]
        return fit_box_law(self.surrogate, parameters, places_of(self.campaign, parameters))

    def scaled(self, parameters: NDArray[np.floating]) -> Float:
        """Physical (n, targets) in min-max units."""
        low, high = self.limits
        return np.asarray((parameters - low) / (high - low))

    @cached_property
    def seen(self) -> Float:
        """Features of the test records."""
        return self.features(self.test.strains, self.test.forces)

    @cached_property
    def _fading(self) -> Float:
        part = slice(SIGNAL_RECORDS)
        forces = None if self.train.forces is None else self.train.forces[part]
        signal = self._components(self.train.strains[part], forces).var(0)
        return np.asarray(np.sqrt(signal) / (signal + 1))

    def _components(
        self, strains: NDArray[np.floating], forces: NDArray[np.floating] | None
    ) -> Float:
        seen = self.surrogate.observables
        return np.asarray((seen.of(strains, forces) - seen.mean) @ seen.vectors[:, :COMPONENTS])

    def features(self, strains: NDArray[np.floating], forces: NDArray[np.floating] | None) -> Float:
        """Principal components (n, COMPONENTS), faded where the noise drowns them."""
        return self._components(strains, forces) * self._fading

    def noisy(self, copies: int, seed: int = 5) -> tuple[Float, Float]:
        """Features and targets of `copies` noisy copies of the training records."""
        rng, train = np.random.default_rng(seed), self.train
        features = []
        for _ in range(copies):
            for start in range(0, len(train), BLOCK):
                part = slice(start, start + BLOCK)
                strains = train.strains[part].astype(np.float64)
                strains += self.noise[0] * rng.standard_normal(strains.shape)
                forces = None
                if train.forces is not None:
                    forces = train.forces[part].astype(np.float64)
                    forces *= 1 + self.noise[1] * rng.standard_normal(forces.shape)
                features.append(self.features(strains, forces))
        return np.concatenate(features), np.tile(self.scaled(train.parameters), (copies, 1))

    def clean(self) -> Float:
        """Features of the training records without noise."""
        parts = [
            self.features(
                self.train.strains[start : start + BLOCK],
                None if self.train.forces is None else self.train.forces[start : start + BLOCK],
            )
            for start in range(0, len(self.train), BLOCK)
        ]
        return np.concatenate(parts)
