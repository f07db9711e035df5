"""How far the ends of a specimen have moved when two lines of its field have.

An import tells the ends' displacement by the lines and an isotropic sheet. A sheet that is not
isotropic has moved its ends by up to some per cent more or less by then, because it localises
sooner or later in its notch: as much as the machine's compliance, that the lines took out. So each
sheet that is tried is drawn by its own ends until its own lines are where the measured ones were.
Both sheets are simulated on a coarse mesh, whose error is the same in both.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.fem.backends import Backend
from hpc_jobs.measurement.isotropic import Curve, curve_between_lines, strip_between_lines

SHARES = np.linspace(0, 1, 21)[1:] ** 1.5
"""Of the last displacement, closer where the notch yields."""

FloatArray = NDArray[np.float64]


class NotPulled(Exception):
    """A sheet that does not go so far; says why."""


@dataclass(frozen=True, eq=False)
class Travel:
    """The ends of specimens whose lines are told; simulations are kept."""

    backend: Backend
    material: Material  # of the isotropic sheet by which the measurement was told
    half_lengths_mm: tuple[float | None, ...]  # of each specimen; none: its ends were measured
    _told: dict[int, FloatArray] = field(default_factory=dict)

    def displacements(
        self,
        i: int,
        drawn: FloatArray,
        nominal: Specimens,
        parameters: FloatArray,
        material: Material,
        one: Specimens,
    ) -> FloatArray:
        """Displacements (times,) mm of specimen i's ends where an isotropic one's are `drawn`.

        nominal holds specimen i as drawn, `one` as it is now tried, of a sheet of these parameters.
        Raises NotPulled.
        """
        half = self.half_lengths_mm[i]
        if half is None:
            return drawn
        if i not in self._told:
            isotropic = np.ones(len(self.material.parameters))
            curve = self._curve(isotropic, self.material, nominal, half, float(drawn[-1]))
            self._told[i] = curve.extension_at(drawn)
        own = self._curve(parameters, material, one, half, float(drawn[-1]))
        return own.displacement_at(self._told[i])

    def _curve(
        self,
        parameters: FloatArray,
        material: Material,
        one: Specimens,
        half_length_mm: float,
        end_mm: float,
    ) -> Curve:
        moments = end_mm * SHARES
        piece = one.pieces[0] if one.pieces else Piece()
        changes = {
            "displacements_mm": tuple(moments.tolist()),
            "patch_along_mm": 0.0,
            "patch_across_mm": 0.0,
        }
        pulled = one.model_copy(
            update={
                "mesh": MESH_LEVELS["coarse"],
                "patches": strip_between_lines(half_length_mm, one.tests[0].geometry),
                "output_times": len(moments),
                "pieces": (piece.model_copy(update=changes),),
            }
        )
        record = self.backend.simulate(parameters, material, pulled)
        if record.status != "ok":
            raise NotPulled(f"the simulation ended with '{record.status}': {record.reason}")
        return curve_between_lines(record, moments, half_length_mm)
