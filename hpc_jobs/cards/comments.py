"""What every card says of itself in comments: its origin, how sure it is, what it leaves out."""

from collections.abc import Mapping

from hpc_jobs.cards.density import METALS, metal_of
from hpc_jobs.contract.identified import IdentifiedSheet, Value
from hpc_jobs.contract.measurement import QUANTITY_LABELS, Quantity

ASCII = str.maketrans({"σ": "s"})
METHODS = {
    "network": "a network",
    "surrogate": "refinement with strains and forces",
    "fem": "the finite-element model itself",
}
WIDTH = 78  # of a comment's text: keyword files have 80 columns


def heading(sheet: IdentifiedSheet, title: str, density: float) -> list[str]:
    """Lines of a card's head, without comment signs; ASCII, at most WIDTH wide."""
    lines = [
        f"{title}",
        f"sheet {sheet.measurement}, identified {sheet.identified_on} by {METHODS[sheet.method]}",
        f"campaign {sheet.campaign}, run {sheet.run_id}, validation {sheet.validation}",
        "units: t, mm, s, N, MPa; strains are logarithmic, angles from rolling direction",
        *_verdict(sheet),
        f"values and their {sheet.interval_level:.0%} intervals:",
        *_values(sheet),
        *_density(sheet, density),
        *_curve(sheet),
    ]
    return [line for one in lines for line in wrapped(one)]


def said(value: Value, digits: int = 4) -> str:
    """Write a value and half its interval."""
    half = value.half_width
    return f"{value.value:.{digits}f}" + ("" if half is None else f" +- {half:.{digits}f}")


def deviations(sheet: IdentifiedSheet, card: Mapping[Quantity, float]) -> list[str]:
    """Say what a card's model makes of each quantity, beside what was identified."""
    lines = ["this model has      identified   this card"]
    for quantity, found in sheet.quantities.items():
        label = label_of(quantity)
        lines.append(f"  {label:<16} {found.value:10.4f}  {card[quantity]:10.4f}")
    return lines


def label_of(quantity: Quantity) -> str:
    """As other texts write it, in ASCII."""
    return QUANTITY_LABELS[quantity].replace(" ", "").translate(ASCII)


def wrapped(text: str) -> list[str]:
    """Break a comment at blanks, further lines indented; keyword files are ASCII."""
    plain = text.translate(ASCII).encode("ascii", "replace").decode()
    if len(plain) <= WIDTH:
        return [plain]
    words, lines = plain.split(), [""]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("  " + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _verdict(sheet: IdentifiedSheet) -> list[str]:
    words = {
        "pass": "compared with a known truth, and right within the campaign's limits",
        "fail": "NOT TO BE USED: compared with a known truth, and beyond the campaign's limits",
        "answered": "answered; there is no known truth to compare with",
        "reservations": "ANSWERED WITH RESERVATIONS",
        "outside": "NOT ANSWERED",
    }
    lines = [f"verdict: {words[sheet.verdict]}"]
    return [*lines, *(f"  - {reason}" for reason in sheet.reasons)]


def _values(sheet: IdentifiedSheet) -> list[str]:
    lines = [
        f"  {name:<8} ({sheet.targets[name]:<4}) {said(value, 5)}"
        for name, value in sheet.parameters.items()
    ]
    lines += [
        f"  {label_of(quantity):<15} {said(value)}" for quantity, value in sheet.quantities.items()
    ]
    labels = {"exponent": "exponent a", "youngs_modulus_mpa": "E"}
    return lines + [f"  {labels[name]:<15} {said(one, 2)}" for name, one in sheet.scalars.items()]


def _density(sheet: IdentifiedSheet, density: float) -> list[str]:
    metal = metal_of(sheet.material.youngs_modulus_mpa)
    usual = metal is not None and METALS[metal][2] == density
    why = f"that of {metal}, which Young's modulus tells" if usual else "as it was given"
    return [f"density {density:.3g} t/mm^3: {why}; it is not identified"]


def _curve(sheet: IdentifiedSheet) -> list[str]:
    reached = f"{sheet.strain_reached:.3f}"
    law = sheet.material.hardening.law
    if sheet.hardening == "given":
        return [
            f"hardening curve: GIVEN by the campaign (law {law}), not identified; the test "
            f"reached a strain of {reached}, and beyond it nothing of it was checked"
        ]
    lines = [
        f"hardening curve: identified up to the strain reached, {reached}; points beyond it go on "
        f"by the law ({law}) and are EXTRAPOLATED"
    ]
    return lines + [f"  k({strain:g}) = {said(one, 1)} MPa" for strain, one in sheet.stresses]
