"""An isotropic sheet of the campaign's hardening in the same test: what to expect of a measurement.

It says how far two lines of the field have moved apart when the ends have, so that a displacement
of the ends is found in a picture that need not show them; where its force turns, so that clocks
can be set; and what strains look like, roughly. Anisotropy changes the first by little, and the
spread over sheets of other r-values says by how much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import MESH_LEVELS, Geometry, Patches
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Known
from hpc_jobs.contract.specimen import FromYield, Piece, Specimens, TensileTest
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.record import Record
from hpc_jobs.fem.scout import with_output_times

Values = NDArray[np.float64]

TIMES = 40  # output times of the curves
PIECES = 50  # along the virtual extensometer
STRIP_MM = 0.8  # width of the strip along the axis whose strains are added up
SHORTER = 0.96  # of the end displacement, where the isotropic sheet necks before it
TRIES = 20
R_VALUES = (0.65, 1.7)  # sheets one standard deviation to either side, roughly
LEAST_SPREAD = 1e-3  # direction-dependent yield stress, which these do not have
NEAR_PEAK = FromYield(peak_share=0.998)  # how far a sheet of unknown hardening is pulled


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


def strip_between_lines(half_length_mm: float, geometry: Geometry) -> Patches:
    """Return pieces of the axis whose stretches add up to the distance of two lines."""
    return Patches(
        along=PIECES,
        across=1,
        region_length_mm=2 * half_length_mm,
        region_width_mm=min(STRIP_MM, geometry.notch_width_mm),
    )


def curve_between_lines(record: Record, displacements: Values, half_length_mm: float) -> Curve:
    """Add up the stretches of `strip_between_lines` in a record of one specimen, (times,) mm."""
    axial = record.strains.reshape(2, PIECES, len(displacements))[0]
    stretched = (2 * half_length_mm / PIECES) * np.expm1(axial).sum(axis=0)
    return Curve(
        *(np.concatenate(([0.0], part)) for part in (displacements, stretched, record.forces))
    )


@dataclass(frozen=True, eq=False)
class Expected:
    """What isotropic sheets do in one test of a campaign.

    Where the campaign is of a family, `chosen` is the sheet to compare with; without it, the middle
    of the family with what is known of it.
    """

    campaign: Campaign
    test: TensileTest
    known: Mapping[str, Known] = field(default_factory=dict)  # coordinates of the family
    chosen: Material | None = None

    @cached_property
    def material(self) -> Material:
        """The campaign's, or one of its family: to compare with, not to answer by."""
        if self.campaign.sheet.fixed is not None:
            return self.campaign.sheet.fixed
        if self.chosen is not None:
            return self.chosen
        family = self.campaign.family
        middle = zip(family.names, family.nominal, strict=True)
        values = [self.known[name][0] if name in self.known else value for name, value in middle]
        return family.material_of(values)

    def strains(self, displacements: Values) -> Values:
        """Strains of the campaign's patches at displacements (times,) mm, (2, patches, times).

        Beyond the sheet's own peak force all of them are taken in proportion.
        """
        patches, times = self.campaign.specimens.patches, len(displacements)
        specimens = self._one(patches, times)
        sheet = _isotropic(self.material)
        end = min(self._end(sheet), float(displacements[-1]))
        share = displacements / displacements[-1]
        record, _ = self._pulled(sheet, specimens, end, share)
        return record.strains.reshape(2, patches.count, times)

    def curve(self, half_length_mm: float, r_value: float | None = None) -> Curve:
        """Pull a sheet and follow two lines at plus and minus half_length_mm; isotropic if no r."""
        patches = strip_between_lines(half_length_mm, self.test.geometry)
        material = self.material
        sheet = _isotropic(material) if r_value is None else _normal(material, r_value)
        even = np.arange(1, TIMES + 1) / TIMES
        record, end = self._pulled(sheet, self._one(patches, TIMES), self._end(sheet), even)
        return curve_between_lines(record, end * even, half_length_mm)

    def spread(self, half_length_mm: float) -> float:
        """Relative standard deviation of an end displacement told by these lines."""
        curve = self.curve(half_length_mm)
        at = curve.displacements[TIMES // 2 :]
        told = [
            curve.displacement_at(self.curve(half_length_mm, r).extension_at(at)) for r in R_VALUES
        ]
        return float(max(np.sqrt(np.mean((one / at - 1) ** 2)) for one in told)) + LEAST_SPREAD

    @property
    def limit_mm(self) -> float:
        """How far the campaign pulls this test at most."""
        own = self.test.geometry.end_displacement_mm
        return own or self.campaign.specimens.end_displacement_mm

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

    def _end(self, sheet: tuple[Material, Values]) -> float:
        """As far as the campaign pulls, or where it asks the sheet, to the sheet's peak force."""
        if self.campaign.specimens.timing is None:
            return self.limit_mm
        material, parameters = sheet
        asked = self._one(Patches(along=1, across=1), 1).model_copy(update={"timing": NEAR_PEAK})
        timed, reason = with_output_times(parameters, material, asked)
        if reason:
            raise BadInput(f"an isotropic sheet cannot be compared with: {reason}")
        return timed.tests[0].end_displacement_mm

    def _pulled(
        self, sheet: tuple[Material, Values], specimens: Specimens, end: float, share: Values
    ) -> tuple[Record, float]:
        """Pull as far as the sheet goes; returns its record and the end displacement, mm.

        share (times,) of the end displacement are the output times.
        """
        material, parameters = sheet
        _, backend = backend_of(self.campaign.solver)
        for _ in range(TRIES):
            piece = Piece(displacements_mm=tuple((end * share).tolist()))
            shorter = specimens.model_copy(update={"pieces": (piece,)})
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
