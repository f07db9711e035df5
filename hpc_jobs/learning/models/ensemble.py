"""Several trainings of one network: their mean is better than each, their spread says how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What an ensemble says of some records; all (B, targets), physical."""

    mean: Values
    spread: Values  # standard deviation between the members
    deviation: Values  # with what Gaussian members say themselves (Lakshminarayanan 2017, eq. 2)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks that were trained on the same data for the same targets."""

    members: tuple[TrainedModel, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ConfigurationError(
                f"{len(self.members)} member; an ensemble needs two: set members of the network"
            )
        first = self.members[0].card
        for member in self.members[1:]:
            card = member.card
            if (card.scaler, card.dataset_sha256) != (first.scaler, first.dataset_sha256):
                raise ConfigurationError(
                    f"{card.name} was trained on dataset {card.dataset_sha256[:12]}, {first.name} "
                    f"on {first.dataset_sha256[:12]}; train all members on one dataset"
                )

    def predict(self, strains: ArrayLike, forces: ArrayLike | None = None) -> Answers:
        """Identify (B, strain_values) strains, (B, force_values) forces. Raises BadInput."""
        means = np.stack([member.predict(strains, forces) for member in self.members])
        spread = means.std(axis=0, ddof=1)
        own = [member.deviations(strains, forces) for member in self.members if member.gaussian]
        variance = np.square(own).mean(axis=0) if own else 0.0
        return Answers(means.mean(axis=0), spread, np.sqrt(spread**2 + variance))


def load_ensemble(folders: Sequence[Path]) -> Ensemble:
    """Verify and load the members; raises CorruptFile, ConfigurationError."""
    return Ensemble(tuple(load_model(folder) for folder in folders))
