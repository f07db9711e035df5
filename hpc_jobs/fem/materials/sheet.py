"""A yield function with its parameters, asked in a materials engineer's terms."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Curves, Quantity
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yield_locus import (
    contour,
    derivatives,
    mechanical_values,
    r_value,
    yield_stress,
)

FloatArray = NDArray[np.float64]

ANGLES_DEG = np.linspace(0, 90, 19)
LOCUS_POINTS = 181


@dataclass(frozen=True, eq=False)
class Sheet:
    """A yield function with its parameters, asked in an engineer's terms."""

    function: YieldFunction

    @classmethod
    def of(cls, parameters: Mapping[str, float], material: Material) -> "Sheet":
        """From parameters by their name in the yield function."""
        values = np.array([parameters[name] for name in material.parameters])
        return cls(MATERIALS[material.yield_function].of(values, material))

    @property
    def defect(self) -> str:
        """What makes it unphysical; empty if nothing does."""
        return defect(self.function)

    def r_value(self, angles_deg: FloatArray) -> FloatArray:
        """Return r(theta)."""
        return r_value(self.function, angles_deg)

    def stress_ratio(self, angles_deg: FloatArray) -> FloatArray:
        """Return sigma(theta) over sigma(0)."""
        return yield_stress(self.function, angles_deg) / yield_stress(self.function, [0.0])

    def rolling_stress(self) -> float:
        """Return the yield stress in rolling direction over the flow stress; of most sheets 1."""
        return float(yield_stress(self.function, [0.0])[0])

    def quantities(self) -> dict[Quantity, float]:
        """Return the seven mechanical values."""
        return mechanical_values(self.function)

    def curves(self) -> Curves:
        """Return both curves at every fifth degree."""
        return Curves(
            angles_deg=tuple(ANGLES_DEG.tolist()),
            r_value=tuple(self.r_value(ANGLES_DEG).tolist()),
            stress_ratio=tuple(self.stress_ratio(ANGLES_DEG).tolist()),
        )

    def locus(self, shear: float = 0.0) -> FloatArray:
        """Return (n, 2) of (s_xx, s_yy) over the flow stress, at a fixed shear stress."""
        return contour(self.function, shear, LOCUS_POINTS)

    def locus_radius(self) -> FloatArray:
        """Distance (n,) of the locus without shear from the origin, by direction."""
        angle = np.linspace(0, 2 * np.pi, LOCUS_POINTS)
        direction = np.stack((np.cos(angle), np.sin(angle), np.zeros_like(angle)), axis=-1)
        return np.asarray(1 / derivatives(self.function, direction)[:, 0])
