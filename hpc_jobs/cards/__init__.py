"""Material cards: an identified sheet as the keywords and tables of forming codes.

    for name, text in cards_of(sheet).items():
        (folder / name).write_text(text)

A card holds what its material model can express, and says in its comments what it cannot. Units are
t, mm, s, N, MPa throughout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpc_jobs.cards.abaqus import abaqus
from hpc_jobs.cards.density import density_of
from hpc_jobs.cards.ls_dyna import barlat89, yld2000
from hpc_jobs.cards.table import table
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.contract.records import publish


@dataclass(frozen=True, slots=True)
class Card:
    """One format."""

    title: str
    suffix: str  # of the file's name, after the measurement's
    write: Callable[[IdentifiedSheet, float], str]  # sheet, density in t/mm^3
    expresses: str  # what of the sheet it holds, in a clause
    of: tuple[YieldFunctionName, ...] = ("hill48", "barlat89", "yld2000_2d")  # what it can express


CARDS: dict[str, Card] = {
    "ls-dyna-133": Card(
        "LS-DYNA *MAT_BARLAT_YLD2000 (*MAT_133)",
        "_mat133.k",
        yld2000,
        "the whole yield function and the hardening curve",
        of=("yld2000_2d",),
    ),
    "ls-dyna-036": Card(
        "LS-DYNA *MAT_3-PARAMETER_BARLAT (*MAT_036)",
        "_mat036.k",
        barlat89,
        "r0, r45, r90 and the hardening curve; stress ratios follow from these",
    ),
    "abaqus": Card(
        "Abaqus *PLASTIC and *POTENTIAL (Hill 1948)",
        "_abaqus.inp",
        abaqus,
        "either the r-values or the stress ratios, and the hardening curve",
    ),
    "csv": Card(
        "table of r, stress ratios and curve (CSV), as Pam-Stamp and AutoForm ask for them",
        "_table.csv",
        table,
        "the numbers themselves, with their intervals",
    ),
}
"""Name for `yieldloop card --format` -> the format."""


def cards_of(sheet: IdentifiedSheet, density: float | None = None) -> dict[str, str]:
    """Write all cards that can express the sheet: file name -> text.

    density in t/mm^3; without it that of the metal that Young's modulus tells. Raises BadInput
    where it tells none, or where the density cannot be one.
    """
    rho = density_of(sheet.material.youngs_modulus_mpa, density)
    return {
        f"{sheet.measurement}{card.suffix}": card.write(sheet, rho)
        for card in CARDS.values()
        if sheet.material.yield_function in card.of
    }


def publish_cards(folder: Path, sheet: IdentifiedSheet, density: float | None = None) -> list[Path]:
    """Write all cards of a sheet into a folder, each at once; raises BadInput as `cards_of`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in cards_of(sheet, density).items():
        with publish(folder / name) as temporary:
            temporary.write_text(text)
        written.append(folder / name)
    return written
