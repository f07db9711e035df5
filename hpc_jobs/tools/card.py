"""Write material cards of an identified sheet: LS-DYNA, Abaqus, a table.

    yieldloop card RUN MEASUREMENT [--validation NAME] [--out FOLDER]
    yieldloop card SHEET.json [--format ls-dyna-133] [--density 7.85e-9] [--out FOLDER]

RUN is the folder of a campaign's run, SHEET.json what a validation has published of a sheet
(validation/NAME/sheets/). With --out cards are files in FOLDER, one for each format; without it one
format is printed. Units are t, mm, s, N, MPa. What a format cannot express of a sheet its comments
say; a hardening curve goes on by its law beyond the strain that the test reached, which is said
too.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.cards import CARDS
from hpc_jobs.cards.density import density_of
from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.records import publish, read_model
from hpc_jobs.runtime.answers import find_validation, read_sheet
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Write or print; what cannot be ends with status 1, its cause and its remedy."""
    options = _arguments().parse_args(argv)
    try:
        print(written(options), end="")
    except ContractError as error:
        sys.exit(f"error: {error}")


def written(options: argparse.Namespace) -> str:
    """Write the cards that were asked for; returns what to print. Raises ContractError."""
    sheet = _sheet(options)
    if sheet.verdict == "fail" and not options.force:
        raise BadInput(
            f"{sheet.measurement}: the answer failed ({'; '.join(sheet.reasons)}); its card is not "
            "to be used: say --force to have it all the same"
        )
    density = density_of(sheet.material.youngs_modulus_mpa, options.density)
    formats = [options.format] if options.format else _possible(sheet)
    texts = {name: _text(name, sheet, density) for name in formats}
    if options.out is None:
        if len(texts) > 1:
            raise BadInput(
                f"{len(texts)} formats can express this sheet: choose one with --format "
                f"({', '.join(texts)}), or give --out FOLDER for all"
            )
        return next(iter(texts.values()))
    return _write(options.out, sheet, texts, force=options.force)


def _sheet(options: argparse.Namespace) -> IdentifiedSheet:
    if options.measurement is None:
        if options.source.is_dir():
            raise BadInput(f"{options.source}: is a run's folder; name the measurement after it")
        return read_model(IdentifiedSheet, options.source)
    run, validation = find_validation(options.source, options.validation)
    return read_sheet(run, validation, options.measurement)


def _possible(sheet: IdentifiedSheet) -> list[str]:
    return [name for name, card in CARDS.items() if sheet.material.yield_function in card.of]


def _text(name: str, sheet: IdentifiedSheet, density: float) -> str:
    possible = _possible(sheet)
    if name not in possible:
        raise BadInput(
            f"--format {name} holds {CARDS[name].expresses}, but {sheet.measurement} was "
            f"identified as {sheet.material.yield_function}; choose from {', '.join(possible)}"
        )
    return CARDS[name].write(sheet, density)


def _write(folder: Path, sheet: IdentifiedSheet, texts: dict[str, str], *, force: bool) -> str:
    paths = {folder / f"{sheet.measurement}{CARDS[name].suffix}": name for name in texts}
    for path in paths:
        if path.exists() and not force:
            raise BadInput(f"{path}: is there already; choose another folder, or say --force")
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is a file; --out names a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, name in paths.items():
        with publish(path) as temporary:
            temporary.write_text(texts[name])
    return "".join(f"{path}: {CARDS[name].title}\n" for path, name in paths.items())


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="yieldloop card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="RUN|SHEET.json", help="where the answer is")
    parser.add_argument("measurement", nargs="?", help="which one of the run's")
    parser.add_argument("--validation", help="which one, if the run has several; else the latest")
    parser.add_argument("--format", choices=list(CARDS), help="one format alone")
    parser.add_argument("--density", type=float, help="t/mm^3; else that which E tells")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write files there")
    parser.add_argument("--force", action="store_true", help="replace files; cards of failures")
    return parser


if __name__ == "__main__":
    main()
