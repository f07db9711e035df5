"""Abaqus: *ELASTIC, *PLASTIC and Hill's potential of 1948, in two readings.

Abaqus knows neither Barlat's function of 1989 nor Yld2000-2d without a user material. *POTENTIAL
has six yield stress ratios, and for a sheet three of them are free: they can hold the r-values or
the stress ratios, not both. The card holds the r-values, as strains of forming need them, and the
other reading as comments; both say what they make of every quantity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from hpc_jobs.cards.comments import deviations, heading, wrapped
from hpc_jobs.cards.curve import rolling_curve
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.measurement import Quantity


@dataclass(frozen=True, slots=True)
class Hill:
    """F (sy-sz)^2 + G (sz-sx)^2 + H (sx-sy)^2 + 2 N t^2 = s0^2 with G + H = 1."""

    f: float
    g: float
    h: float
    n: float

    @classmethod
    def from_r_values(cls, r0: float, r45: float, r90: float) -> "Hill":
        """r0 = H/G, r90 = H/F, r45 = N/(F + G) - 1/2."""
        g, h = 1 / (1 + r0), r0 / (1 + r0)
        f = h / r90
        return cls(f, g, h, (f + g) * (r45 + 0.5))

    @classmethod
    def from_stresses(cls, s45: float, s90: float, biaxial: float) -> "Hill":
        """From yield stresses over that in rolling direction."""
        f = (1 / s90**2 + 1 / biaxial**2 - 1) / 2
        g = (1 / biaxial**2 + 1 - 1 / s90**2) / 2
        h = (1 + 1 / s90**2 - 1 / biaxial**2) / 2
        return cls(f, g, h, (4 / s45**2 - f - g) / 2)

    @property
    def convex(self) -> bool:
        """Whether the locus is an ellipse, and flow has the signs of tension."""
        return min(self.f, self.g, self.h, self.n) > 0

    def ratios(self) -> tuple[float, float, float, float, float, float]:
        """R11, R22, R33, R12, R13, R23 as *POTENTIAL wants them.

        A sheet in plane stress says nothing of R13 and R23: 1, as of an isotropic one.
        """
        return (
            1 / sqrt(self.g + self.h),
            1 / sqrt(self.f + self.h),
            1 / sqrt(self.f + self.g),
            sqrt(1.5 / self.n),
            1.0,
            1.0,
        )

    def quantities(self) -> dict[Quantity, float]:
        """Return what the function makes of the seven mechanical values."""
        through = self.f + self.g
        return {
            "stress_ratio_45": 2 / sqrt(through + 2 * self.n),
            "stress_ratio_90": 1 / sqrt(self.f + self.h),
            "stress_ratio_biaxial": 1 / sqrt(through),
            "r_value_0": self.h / self.g,
            "r_value_45": self.n / through - 0.5,
            "r_value_90": self.h / self.f,
            "r_value_biaxial": self.f / self.g,
        }


def abaqus(sheet: IdentifiedSheet, density: float) -> str:
    """Write the card; *POTENTIAL needs an *ORIENTATION whose axis 1 is the rolling direction."""
    material, values = sheet.material, {q: one.value for q, one in sheet.quantities.items()}
    by_r = Hill.from_r_values(*(values[q] for q in ("r_value_0", "r_value_45", "r_value_90")))
    head = heading(sheet, "Abaqus *PLASTIC with *POTENTIAL (Hill 1948), shells", density)
    curve = rolling_curve(sheet)
    rows = [
        *_comments(head),
        *_comments(_limits(sheet)),
        f"*MATERIAL, NAME={sheet.measurement.replace('-', '_')}",
        "*DENSITY",
        f"{density:.4e},",
        "*ELASTIC",
        f"{material.youngs_modulus_mpa:.6g}, {material.poisson_ratio:.6g}",
        *_comments(["true stress in rolling direction (MPa), plastic strain"]),
        "*PLASTIC",
    ]
    for place, (strain, stress) in enumerate(curve.rows()):
        if place == curve.reached:
            reached = f"{sheet.strain_reached:.3f}"
            rows += _comments([f"from here on by the law: the test reached a strain of {reached}"])
        rows.append(f"{stress:.4f}, {strain:.10f}")
    rows += [
        *_comments(["R11, R22, R33, R12, R13, R23 from the r-values:"]),
        *_comments(deviations(sheet, by_r.quantities())),
        "*POTENTIAL",
        _line(by_r.ratios()),
        *_comments(_by_stresses(sheet, values)),
        *_comments(_user_material(sheet)),
    ]
    return "\n".join(rows) + "\n"


def _limits(sheet: IdentifiedSheet) -> list[str]:
    text = (
        "Hill's function of 1948 holds either the r-values or the stress ratios of a sheet; this "
        "card holds the r-values, and below, as comments, the stress ratios"
    )
    return wrapped(text) if sheet.material.yield_function != "hill48" else []


def _by_stresses(sheet: IdentifiedSheet, values: Mapping[Quantity, float]) -> list[str]:
    if sheet.material.yield_function == "hill48":
        return []
    hill = Hill.from_stresses(
        values["stress_ratio_45"], values["stress_ratio_90"], values["stress_ratio_biaxial"]
    )
    if not hill.convex:
        return wrapped("no function of Hill's has these stress ratios: there is no other reading")
    return [
        "the other reading, from the stress ratios; to use it, replace the line above by",
        f"  {_line(hill.ratios())}",
        *deviations(sheet, hill.quantities()),
    ]


def _user_material(sheet: IdentifiedSheet) -> list[str]:
    if sheet.material.yield_function != "yld2000_2d":
        return []
    names = ", ".join(sheet.parameters)
    numbers = ", ".join(f"{one.value:.8g}" for one in sheet.parameters.values())
    return [
        *wrapped(
            "the whole sheet needs Yld2000-2d as a user material (UMAT, VUMAT), whose constants "
            f"are in the order of its author; here {names}, a:"
        ),
        f"  {numbers},",
        f"  {sheet.material.exponent:g}",
    ]


def _comments(lines: list[str]) -> list[str]:
    return [f"** {line}".rstrip() for line in lines]


def _line(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.7f}" for value in values)
