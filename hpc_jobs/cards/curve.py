"""The hardening curve of a card: points up to the strain reached, and beyond it by the law."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.sheet import Sheet

FIRST, LAST = 1e-5, 1.0
"""Smallest plastic strain of a point above 0, and the largest: laws may begin very steeply."""
POINTS, POINTS_BEYOND = 60, 12

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Stresses over plastic strains, both work-conjugate to one reference."""

    strains: FloatArray  # (n,) from 0, increasing
    stresses: FloatArray  # (n,) MPa, never falling
    reached: int  # points up to the strain reached; those after them are the law's

    def rows(self) -> list[tuple[float, float]]:
        """Return pairs of plastic strain and stress."""
        return list(zip(self.strains.tolist(), self.stresses.tolist(), strict=True))


def equivalent_curve(sheet: IdentifiedSheet) -> Curve:
    """K over the equivalent plastic strain, of the yield function as it was identified."""
    end = min(sheet.strain_reached, 0.9 * LAST)
    within = np.geomspace(min(FIRST, end / 10), end, POINTS)
    strains = np.concatenate([[0.0], within, np.geomspace(end, LAST, POINTS_BEYOND + 1)[1:]])
    law = hardening_array(sheet.material.hardening)
    stresses = np.array([flow_stress(law, strain)[0] for strain in strains])
    return Curve(strains, np.maximum.accumulate(stresses), 1 + POINTS)


def rolling_curve(sheet: IdentifiedSheet) -> Curve:
    """Return true stress over plastic strain of tension in rolling direction.

    Most sheets yield there at k itself; where one does not, the same plastic work is done:
    s0 = c k at p0 = p / c.
    """
    curve, c = equivalent_curve(sheet), rolling_over_k(sheet)
    return Curve(curve.strains / c, curve.stresses * c, curve.reached)


def rolling_over_k(sheet: IdentifiedSheet) -> float:
    """Yield stress in rolling direction over k."""
    parameters = {name: one.value for name, one in sheet.parameters.items()}
    return Sheet.of(parameters, sheet.material).rolling_stress()
