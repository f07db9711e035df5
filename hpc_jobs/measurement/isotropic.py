"""An isotropic sheet of the campaign's hardening in the same test: what to expect of a measurement.

It says how far two lines of the field have moved apart when the ends have, so that a displacement
of the ends is found in a picture that need not show them; where its force turns, so that clocks
can be set; and what strains look like, roughly. Anisotropy changes the first by little, and the
spread over sheets of other r-values says by how much.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import MESH_LEVELS, Patches, Specimens, TensileTest
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.record import Record

Values = NDArray[np.float64]

TIMES = 40  # output times of the curves
PIECES = 50  # along the virtual extensometer
STRIP_MM = 0.8  # width of the strip along the axis whose strains are added up
SHORTER = 0.96  # of the end displacement, where the isotropic sheet necks before it
TRIES = 20
R_VALUES = (0.8, 1.25)  # sheets one standard deviation to either side, roughly
LEAST_SPREAD = 1e-3  # direction-dependent yield stress, which these do not have


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Extension between two lines and force against the displacement of the ends, from 0 on."""

    displacements: Values  # (n,) mm, the first 0
    extensions: Values  # (n,) mm
    forces: Values  # (n,) N, nominal thickness

    def extension_at(self, displacement: Values) -> Values:
        """Extension between the lines, mm, continued along its last slope."""
        return _continued(self.displacements, self.extensions, displacement)

    def displacement_at(self, extension: Values) -> Values:
        """Displacement of the ends, mm, continued along its last slope."""
        return _continued(self.extensions, self.displacements, extension)

    def force_at(self, extension: Values) -> Values:
        """Force, N; constant beyond the last point."""
        inside = np.clip(extension, self.extensions[0], self.extensions[-1])
        return np.asarray(PchipInterpolator(self.extensions, self.forces)(inside))


@dataclass(frozen=True, eq=False)
class Expected:
    """What isotropic sheets do in one test of a campaign."""

    campaign: Campaign
    test: TensileTest

    @property
    def material(self) -> Material:
        """The campaign's, or the middle of its family: to compare with, not to answer by."""
        fixed = self.campaign.sheet.fixed
        family = self.campaign.family
        return fixed if fixed is not None else family.material_of(family.nominal)

    @cached_property
    def strains(self) -> Values:
        """Strains of the campaign's patches at its output times, (2, patches, times)."""
        specimens = self._one(self.campaign.specimens.patches, self.campaign.specimens.output_times)
        record, _ = self._pulled(_isotropic(self.material), specimens)
        return record.strains.reshape(2, specimens.patches.count, specimens.output_times)

    def curve(self, half_length_mm: float, r_value: float | None = None) -> Curve:
        """Pull a sheet and follow two lines at plus and minus half_length_mm; isotropic if no r."""
        patches = Patches(
            along=PIECES,
            across=1,
            region_length_mm=2 * half_length_mm,
            region_width_mm=min(STRIP_MM, self.test.geometry.notch_width_mm),
        )
        material = self.material
        sheet = _isotropic(material) if r_value is None else _normal(material, r_value)
        record, end = self._pulled(sheet, self._one(patches, TIMES))
        axial = record.strains.reshape(2, PIECES, TIMES)[0]
        stretched = (2 * half_length_mm / PIECES) * np.expm1(axial).sum(axis=0)
        return Curve(
            np.linspace(0, end, TIMES + 1),
            np.concatenate(([0.0], stretched)),
            np.concatenate(([0.0], record.forces)),
        )

    def spread(self, half_length_mm: float) -> float:
        """Relative standard deviation of an end displacement told by these lines."""
        curve = self.curve(half_length_mm)
        at = curve.displacements[TIMES // 2 :]
        told = [
            curve.displacement_at(self.curve(half_length_mm, r).extension_at(at)) for r in R_VALUES
        ]
        return float(max(np.sqrt(np.mean((one / at - 1) ** 2)) for one in told)) + LEAST_SPREAD

    def _one(self, patches: Patches, times: int) -> Specimens:
        return self.campaign.specimens.model_copy(
            update={
                "angles_deg": (0.0,),
                "geometries": (self.test.geometry,),
                "patches": patches,
                "output_times": times,
                "outputs": (),
                "timing": None,
                "pieces": (),
                "mesh": MESH_LEVELS["production"],
                "steps_per_output": 1,
            }
        )

    def _pulled(self, sheet: tuple[Material, Values], specimens: Specimens) -> tuple[Record, float]:
        """Pull as far as the sheet goes; returns its record and the end displacement, mm."""
        material, parameters = sheet
        _, backend = backend_of(self.campaign.solver)
        end = specimens.end_displacement_mm
        for _ in range(TRIES):
            shorter = specimens.model_copy(update={"end_displacement_mm": end})
            record = backend.simulate(parameters, material, shorter)
            if record.status == "ok":
                return record, end
            end *= SHORTER
        raise BadInput(
            f"an isotropic sheet of campaign '{self.campaign.name}' cannot be pulled to "
            f"{end:.3g} mm ({record.reason}); correct the campaign's hardening or its "
            "end_displacement_mm"
        )


def _isotropic(material: Material) -> tuple[Material, Values]:
    return material, np.ones(len(material.parameters))


def _normal(material: Material, r_value: float) -> tuple[Material, Values]:
    """Return a sheet of this r-value in all directions."""
    plain = material.model_copy(update={"yield_function": "hill48", "exponent": 2.0})
    return plain, np.full(3, r_value)


def _continued(x: Values, y: Values, at: Values) -> Values:
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    inside = PchipInterpolator(x, y)(np.clip(at, x[0], x[-1]))
    return np.asarray(np.where(at > x[-1], y[-1] + slope * (at - x[-1]), inside))
