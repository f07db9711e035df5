"""What the engine asks of a yield function."""

from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material


class YieldFunction(Protocol):
    """A plane-stress yield function sigma_bar(s), homogeneous of degree one.

    `evaluate` is a kernel of type hpc_jobs.fem.kernel.EVALUATE: (coefficients, s_xx, s_yy, s_xy)
    to (sigma_bar, n_x, n_y, n_t, h_xx, h_xy, h_xt, h_yy, h_yt, h_tt), where n and h are the first
    and second derivatives with respect to the three stress components, x along the rolling
    direction, t the shear stress counted once (so that n_t is an engineering shear).
    """

    evaluate: ClassVar[Any]
    examples: ClassVar[tuple[tuple[tuple[float, ...], int], ...]]
    """Published (parameters, exponent) pairs; the contract tests run over them."""

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """What the kernel reads."""

    @classmethod
    def of(cls, parameters: NDArray[np.float64], material: Material) -> Self:
        """From the parameters in the order of Material.parameters."""
