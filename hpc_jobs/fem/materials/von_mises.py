"""Von Mises, Goettinger Nachrichten (1913) 582-592, in plane stress.

sigma_bar^2 = s_xx^2 - s_xx s_yy + s_yy^2 + 3 s_xy^2
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import ClassVar

import numpy as np

from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.yield_function import FloatArray, Forms, YieldFunction


@dataclass(frozen=True, eq=False)
class VonMises(YieldFunction):
    """The isotropic sheet; it has no parameters, and exponent 2."""

    parameters: FloatArray = field(default_factory=lambda: np.empty(0))
    exponent: float = 2.0

    name: ClassVar[YieldFunctionName] = "von_mises"
    tests: ClassVar[tuple[Quantity, ...]] = ()
    examples: ClassVar[tuple[tuple[tuple[float, ...], float], ...]] = (((), 2.0),)

    def forms(self) -> Forms:
        """Return d/2 = (s_xx - s_yy)^2/2 + 3 s_xy^2, M^2 = s_xx^2/2 and q = s_yy^2/2."""
        half = sqrt(0.5)
        return 1.0, -1.0, sqrt(6.0), half, 0.0, 0.0, half, 0.0
