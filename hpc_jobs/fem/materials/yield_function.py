"""The family of yield functions that the engine knows, and what makes one of them a member.

    |d|^(a/2) + |M - sqrt q|^a + |M + sqrt q|^a = 2 sigma_bar^a,   d = u^2 + v^2,   q = w^2 + z^2

with forms that are linear in the plane stress: u, M, w in (s_xx, s_yy), v and z in s_xy. Von Mises,
Hill 1948, Barlat-Lian 1989 and Yld2000-2d are all of it: they differ in the eight numbers alone, so
one kernel (linear_forms.py, and native/linear_forms.hpp) serves them all. sigma_bar is convex and
homogeneous of degree one. x is the rolling direction.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import (
    LARGEST_EXPONENT,
    QUADRATIC,
    SMALLEST_EXPONENT,
    YIELD_PARAMETERS,
    Material,
    YieldFunctionName,
)
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.errors import UnsupportedMaterial

FloatArray = NDArray[np.float64]
Forms = tuple[float, float, float, float, float, float, float, float]
"""u = f0 s_xx + f1 s_yy, v = f2 s_xy, M = f3 s_xx + f4 s_yy, w = f5 s_xx + f6 s_yy, z = f7 s_xy."""
COEFFICIENTS = 9
"""The exponent and the eight numbers of Forms: what the kernels read."""


@dataclass(frozen=True, eq=False)
class YieldFunction(ABC):
    """A yield function with its parameters, in the order of contract.material.YIELD_PARAMETERS.

    All parameters one is the isotropic sheet of that exponent.

    Raises UnsupportedMaterial for what cannot be evaluated: a wrong number of parameters, or an
    exponent out of range. Unphysical values are for hpc_jobs.fem.materials.admissible to name.
    """

    parameters: FloatArray
    exponent: float

    name: ClassVar[YieldFunctionName]
    tests: ClassVar[tuple[Quantity, ...]]
    """The mechanical values (fields of contract.design.MechanicalBox) that determine it."""
    examples: ClassVar[tuple[tuple[tuple[float, ...], float], ...]]
    """Published (parameters, exponent) pairs; the contract tests run over them."""

    def __post_init__(self) -> None:
        names = YIELD_PARAMETERS[self.name]
        parameters = np.ascontiguousarray(self.parameters, dtype=np.float64)
        if parameters.shape != (len(names),):
            raise UnsupportedMaterial(
                f"the parameters have shape {parameters.shape}; {self.name} takes {len(names)}"
                + (f": {', '.join(names)}" if names else "")
            )
        check_exponent(self.exponent, self.name)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "exponent", float(self.exponent))

    @abstractmethod
    def forms(self) -> Forms:
        """Return the eight numbers; not finite where the parameters give no yield function."""

    @cached_property
    def coefficients(self) -> FloatArray:
        """Exponent and forms (9,)."""
        return np.array((self.exponent, *self.forms()))

    @classmethod
    def of(cls, parameters: FloatArray, material: Material) -> Self:
        """From parameters and the exponent of a campaign's material."""
        return cls(parameters, material.exponent)


def check_exponent(exponent: float, name: YieldFunctionName) -> None:
    """Raise UnsupportedMaterial unless a yield function can have this exponent."""
    if name in QUADRATIC and exponent != 2:
        raise UnsupportedMaterial(f"exponent is {exponent:g}, but {name} is quadratic; give 2")
    if not SMALLEST_EXPONENT <= exponent <= LARGEST_EXPONENT:
        raise UnsupportedMaterial(
            f"exponent is {exponent:g}; {name} takes {SMALLEST_EXPONENT:g} to {LARGEST_EXPONENT:g}"
        )
