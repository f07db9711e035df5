"""The coordinates in which a family's records are smooth, and the box that they fill.

Responses bend least over r/(1 + r), the share of the thickness in a plastic strain, and over the
logarithms of stresses and moduli: forces are proportional to them. Mechanical values come first,
then the family's coordinates, nuisances last:

    x = [stress ratios, r/(1 + r), exponent, ln E, ln k(.05)/E, ln k(p)/k(.05), nuisances]

u is x whitened over the box: mean 0 and variance 1, or for nuisances counted in their standard
deviations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.examination import KNOWABLE, misnamed
from hpc_jobs.contract.measurement import Known, Quantity

FloatArray = NDArray[np.float64]

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
NUISANCE_WEIGHT = 2
"""Of a nuisance in a polynomial's degree: a disturbance is small."""


@dataclass(frozen=True, eq=False)
class Natural:
    """Natural coordinates of a campaign's family; all arrays (coordinates,), in their order."""

    names: tuple[str, ...]
    low: FloatArray  # physical box; of a nuisance where it is cut off
    high: FloatArray
    nuisance: NDArray[np.bool_]
    deviation: FloatArray  # of the nuisances, physical; 0 for the others
    specimens: tuple[str, ...]  # labels of the tests

    @classmethod
    def of(cls, campaign: Campaign) -> "Natural":
        """Return those of a campaign whose family has a yld2000_2d sheet; raises BadInput."""
        if campaign.sheet.yield_function != "yld2000_2d":
            raise BadInput(
                f"the surrogate of a family takes yld2000_2d, not {campaign.sheet.yield_function}: "
                "its seven mechanical values are the coordinates"
            )
        box = [getattr(campaign.design.box, quantity) for quantity in QUANTITIES]
        coordinates = campaign.family.coordinates
        return cls(
            names=(*QUANTITIES, *(one.name for one in coordinates)),
            low=np.array([*(low for low, _ in box), *(one.low for one in coordinates)]),
            high=np.array([*(high for _, high in box), *(one.high for one in coordinates)]),
            nuisance=np.array([False] * len(box) + [one.role == "nuisance" for one in coordinates]),
            deviation=np.array([0.0] * len(box) + [one.sd for one in coordinates]),
            specimens=tuple(test.label for test in campaign.specimens.tests),
        )

    @property
    def weights(self) -> tuple[int, ...]:
        """What each counts in a polynomial's degree."""
        return tuple(NUISANCE_WEIGHT if one else 1 for one in self.nuisance.tolist())

    def natural(self, values: FloatArray) -> FloatArray:
        """Physical (n, coordinates) -> x."""
        x = np.array(values, dtype=np.float64)
        for column, name in enumerate(self.names):
            if name.startswith("r_value"):
                x[:, column] = x[:, column] / (1 + x[:, column])
            elif self._logarithmic(name):
                x[:, column] = np.log(x[:, column])
        return x

    def physical(self, x: FloatArray) -> FloatArray:
        """X -> physical (n, coordinates)."""
        values = np.array(x)
        for column, name in enumerate(self.names):
            if name.startswith("r_value"):
                values[:, column] = x[:, column] / (1 - x[:, column])
            elif self._logarithmic(name):
                values[:, column] = np.exp(x[:, column])
        return values

    def slopes(self, x: FloatArray) -> FloatArray:
        """Return derivatives (n, coordinates) of the physical values by x."""
        slopes = np.ones_like(x)
        for column, name in enumerate(self.names):
            if name.startswith("r_value"):
                slopes[:, column] = (1 - x[:, column]) ** -2
            elif self._logarithmic(name):
                slopes[:, column] = np.exp(x[:, column])
        return slopes

    @property
    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of x in the box."""
        low, high = self.natural(np.stack([self.low, self.high]))
        return low, high

    @property
    def centre(self) -> FloatArray:
        """X where u is 0."""
        low, high = self.ends
        return np.asarray(np.where(self.nuisance, 0.0, (low + high) / 2))

    @property
    def spread(self) -> FloatArray:
        """X of one u."""
        low, high = self.ends
        return np.asarray(np.where(self.nuisance, self.deviation, (high - low) / np.sqrt(12)))

    def told(self, knowledge: dict[str, Known]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of u (coordinates,) from what a measurement knows.

        Infinite where nothing is said; nuisances keep the campaign's, and those that its records do
        not vary are left to an examination. Raises BadInput for a name that is neither, and for a
        value far outside the box.
        """
        for name in sorted(set(knowledge) - set(self.names)):
            if name.split("@")[0] not in KNOWABLE:
                raise BadInput(
                    f"knowledge of '{name}', which is no coordinate of this family; they are "
                    f"{', '.join(self.names)}"
                )
            if wrong := misnamed(name, self.specimens):
                raise BadInput(f"knowledge of '{name}': {wrong}")
        knowledge = {name: known for name, known in knowledge.items() if name in self.names}
        mean = np.zeros(len(self.names))
        deviation = np.where(self.nuisance, 1.0, np.inf)
        for name, (value, sd) in knowledge.items():
            column = self.names.index(name)
            margin = 3 * sd + 0.05 * (self.high[column] - self.low[column])
            if not self.low[column] - margin <= value <= self.high[column] + margin:
                raise BadInput(
                    f"{name} is known to be {value:g} +- {sd:g}, outside the family's "
                    f"{self.low[column]:g} to {self.high[column]:g}; see units and campaign"
                )
            row = np.tile((self.low + self.high)[None] / 2, (1, 1))
            row[0, column] = value
            x = self.natural(row)
            mean[column] = (x[0, column] - self.centre[column]) / self.spread[column]
            deviation[column] = sd / self.slopes(x)[0, column] / self.spread[column]
        return mean, deviation

    def log_prior(self, u: FloatArray) -> FloatArray:
        """Logarithm (n,) of the density of u but for a constant: even over the physical box.

        The logarithms of stresses are drawn evenly, so that they have no slope of their own.
        Nuisances are normal. Minus infinity outside.
        """
        x = self.centre + self.spread * u
        low, high = self.ends
        inside = ((x >= low) & (x <= high))[:, ~self.nuisance].all(1)
        found = np.full(len(u), -np.inf)
        bent = np.array(
            [name.startswith("r_value") or name == "youngs_modulus_mpa" for name in self.names]
        )
        slopes = self.slopes(x[inside])[:, bent]
        found[inside] = np.log(slopes).sum(1) - 0.5 * (u[inside][:, self.nuisance] ** 2).sum(1)
        return found

    def columns(self, names: Sequence[str]) -> list[int]:
        """Where coordinates stand."""
        return [self.names.index(name) for name in names]

    @staticmethod
    def _logarithmic(name: str) -> bool:
        return name in ("youngs_modulus_mpa", "k05_over_e") or name.startswith("hardening.")
