"""A table in CSV: r-values, stress ratios, elasticity and curve, to be typed into any code.

Pam-Stamp, AutoForm and others ask for these numbers in forms of their own; none of their files is
imitated. Columns: section, at, value, low, high, unit, source.
"""

import csv
import io

from hpc_jobs.cards.comments import heading
from hpc_jobs.cards.curve import rolling_curve
from hpc_jobs.contract.identified import IdentifiedSheet, Value

COLUMNS = ("section", "at", "value", "low", "high", "unit", "source")


def table(sheet: IdentifiedSheet, density: float) -> str:
    """Write the table; lines that begin with # are comments."""
    buffer = io.StringIO()
    for line in heading(sheet, "table of r, stress ratios and curve", density):
        buffer.write(f"# {line}\n")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for quantity, value in sheet.quantities.items():
        section, _, at = quantity.rpartition("_")
        writer.writerow(_row(section, at, value, "1", "identified"))
    for name, value in sheet.parameters.items():
        writer.writerow(_row(sheet.material.yield_function, name, value, "1", "identified"))
    writer.writerows(_elasticity(sheet, density))
    curve, source = rolling_curve(sheet), sheet.hardening
    for place, (strain, stress) in enumerate(curve.rows()):
        origin = source if place < curve.reached else "law"
        writer.writerow(("curve", f"{strain:.10f}", f"{stress:.4f}", "", "", "MPa", origin))
    for strain, value in sheet.stresses:
        writer.writerow(_row("k", f"{strain:g}", value, "MPa", "identified"))
    return buffer.getvalue()


def _elasticity(sheet: IdentifiedSheet, density: float) -> list[tuple[str, ...]]:
    material = sheet.material
    rows = []
    for name, value, unit in (
        ("exponent", material.exponent, "1"),
        ("youngs_modulus_mpa", material.youngs_modulus_mpa, "MPa"),
        ("poisson_ratio", material.poisson_ratio, "1"),
        ("density", density, "t/mm^3"),
    ):
        found = sheet.scalars.get(name)
        source = "identified" if found else "given"
        rows.append(_row("material", name, found or Value(value=value), unit, source))
    return rows


def _row(section: str, at: str, value: Value, unit: str, source: str) -> tuple[str, ...]:
    ends = ("" if end is None else f"{end:.8g}" for end in (value.low, value.high))
    return (section, at, f"{value.value:.8g}", *ends, unit, source)
