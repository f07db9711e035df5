"""LS-DYNA keyword cards: *MAT_BARLAT_YLD2000 and *MAT_3-PARAMETER_BARLAT with *DEFINE_CURVE.

Fields are ten columns wide, those of a curve twenty. The rolling direction is the global x axis
(AOPT 2); the curves end at a plastic strain of one, so that no code extrapolates them itself.
The texts may be included or pasted into a deck: they have no *KEYWORD and no *END.
"""

from collections.abc import Sequence

from hpc_jobs.cards.comments import deviations, heading, wrapped
from hpc_jobs.cards.curve import Curve, equivalent_curve, rolling_curve
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.sheet import Sheet

MATERIAL_ID, CURVE_ID = 1, 1001
FIELD, WIDE = 10, 20
INTERVALS = 5000
"""LCINT: LS-DYNA resamples curves at equal steps, by default a hundred: too few at first yield."""
TITLE = 80
R_VALUES: dict[str, Quantity] = {"r0": "r_value_0", "r45": "r_value_45", "r90": "r_value_90"}
"""Parameter of Barlat 1989 -> what it is."""

Field = float | int | None


def yld2000(sheet: IdentifiedSheet, density: float) -> str:
    """*MAT_133: alpha1..alpha8 as they were identified.

    ISCALE 1: the curve is the equivalent stress's, and the locus not scaled to the rolling
    direction's.
    """
    material, elastic = sheet.material, _elastic(sheet, density)
    rows = [
        *_comments(heading(sheet, "LS-DYNA *MAT_BARLAT_YLD2000 (*MAT_133), shells", density)),
        "*MAT_BARLAT_YLD2000_TITLE",
        _title(sheet),
        _names("mid ro e pr fit beta iter iscale"),
        _fields([*elastic, 0.0, 0.0, 0.0, 1.0]),
        _names("k e0 n c p hard a"),
        _fields([None] * 5 + [-float(CURVE_ID), material.exponent]),
        _names(" ".join(sheet.parameters)),
        _fields([one.value for one in sheet.parameters.values()]),
        _names("aopt offang p4 htflag hta htb htc htd"),
        _fields([2.0, 0.0]),
        _names("- - - a1 a2 a3"),
        _fields([None, None, None, 1.0, 0.0, 0.0]),
        _names("v1 v2 v3 d1 d2 d3 usrfail"),
        _fields([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        *_define_curve(sheet, equivalent_curve(sheet), "equivalent stress k, MPa"),
    ]
    return "\n".join(rows) + "\n"


def barlat89(sheet: IdentifiedSheet, density: float) -> str:
    """*MAT_036 with HR 3, a load curve of tension in rolling direction.

    Exact for a sheet that was identified with barlat89 or hill48; otherwise its comments say what
    three r-values make of the stress ratios.
    """
    material, elastic = sheet.material, _elastic(sheet, density)
    r_values = {name: sheet.quantities[quantity].value for name, quantity in R_VALUES.items()}
    title = "LS-DYNA *MAT_3-PARAMETER_BARLAT (*MAT_036), shells"
    rows = [
        *_comments(heading(sheet, title, density)),
        *_comments(_what_three_r_values_make(sheet, r_values)),
        "*MAT_3-PARAMETER_BARLAT_TITLE",
        _title(sheet),
        _names("mid ro e pr hr p1 p2 iter"),
        _fields([*elastic, 3.0, None, None, 0.0]),
        _names("m r00 r45 r90 lcid e0 spi p3"),
        _fields([material.exponent, *r_values.values(), CURVE_ID]),
        _names("aopt c p vlcid - pb nlp htb"),
        _fields([2.0]),
        _names("- - - a1 a2 a3 htc htd"),
        _fields([None, None, None, 1.0, 0.0, 0.0]),
        _names("v1 v2 v3 d1 d2 d3 beta htflag"),
        _fields([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        *_define_curve(sheet, rolling_curve(sheet), "true stress in rolling direction, MPa"),
    ]
    return "\n".join(rows) + "\n"


def _elastic(sheet: IdentifiedSheet, density: float) -> list[Field]:
    material = sheet.material
    return [MATERIAL_ID, density, material.youngs_modulus_mpa, material.poisson_ratio]


def _what_three_r_values_make(sheet: IdentifiedSheet, r_values: dict[str, float]) -> list[str]:
    if sheet.material.yield_function in ("barlat89", "hill48"):
        return []
    other = Material(**{**sheet.material.model_dump(), "yield_function": "barlat89"})
    return [
        *wrapped(
            f"Barlat 1989 knows three r-values: the sheet was identified as "
            f"{sheet.material.yield_function}, and its stress ratios are not in this card"
        ),
        *deviations(sheet, Sheet.of(r_values, other).quantities()),
    ]


def _define_curve(sheet: IdentifiedSheet, curve: Curve, ordinate: str) -> list[str]:
    rows = [
        "*DEFINE_CURVE_TITLE",
        f"{sheet.measurement}: {ordinate}"[:TITLE],
        _names("lcid sidr sfa sfo offa offo dattyp lcint"),
        _fields([CURVE_ID, 0, 1.0, 1.0, 0.0, 0.0, 0, INTERVALS]),
        f"${'plastic strain':>{WIDE - 1}}{'stress':>{WIDE}}",
    ]
    for place, (strain, stress) in enumerate(curve.rows()):
        if place == curve.reached:
            reached = f"{sheet.strain_reached:.3f}"
            rows.append(f"$ from here on by the law: the test reached a strain of {reached}")
        rows.append(f"{strain:>{WIDE}.10f}{stress:>{WIDE}.4f}")
    return rows


def _title(sheet: IdentifiedSheet) -> str:
    return f"{sheet.measurement} ({sheet.campaign}, {sheet.identified_on})"[:TITLE]


def _comments(lines: Sequence[str]) -> list[str]:
    return [f"$ {line}".rstrip() for line in lines]


def _names(names: str) -> str:
    """Head of a card's columns, as keyword files have it."""
    cells = ["" if name == "-" else name for name in names.split()]
    return "$#" + "".join(f"{cell:>{FIELD}}" for cell in cells)[2:]


def _fields(values: Sequence[Field]) -> str:
    return "".join(_field(value) for value in values).rstrip()


def _field(value: Field) -> str:
    """Write a number into ten columns, with as many digits as they take."""
    if value is None:
        return " " * FIELD
    if isinstance(value, int):
        return f"{value:>{FIELD}d}"
    for digits in range(9, 0, -1):
        text = f"{value:.{digits}g}"
        text = text if any(sign in text for sign in ".e") else f"{text}.0"
        if len(text) < FIELD:
            return f"{text:>{FIELD}}"
    raise AssertionError(f"{value} does not fit into {FIELD} columns")
