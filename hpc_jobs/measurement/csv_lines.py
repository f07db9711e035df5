"""Lines of a person's CSV: what is head, names, units and rows, however a program wrote it.

Spreadsheets and scripts put remarks before the names, units under them, delimiters behind the last
column, quotes around whole lines, and lines of nothing but delimiters at the end. None of this is
a value, so it is left out; what is a value is not touched.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hpc_jobs.measurement.formats.cells import BLANKS, split
from hpc_jobs.measurement.formats.text import are_units

DELIMITERS = (";", ",", "\t", BLANKS)
HEAD_LINES = 60  # among which the names are looked for
FEWEST_NAMES = 3
EXCEL = re.compile(r"sep=.", re.IGNORECASE)
BRACKETS = re.compile(r"[\[(](.*?)[\])]")

Line = tuple[int, str]  # number from 1, text


@dataclass(frozen=True, slots=True)
class Lines:
    """A table as it is written."""

    delimiter: str
    names: list[str]  # as written, without units
    units: list[str]  # "" where none is said
    first: str  # the line that was taken for that of the names
    rows: list[tuple[int, list[str]]]  # number of the line, cells


def table_of(text: str, known: Collection[str]) -> Lines:
    """Take a text apart; `known` are names of columns, in small letters, by which names are found.

    Where no line names enough of them the first one is taken, for a message to say so.
    """
    every = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = _unquoted([one for one in every if not one[1].lstrip().startswith("#")] or every)
    if len(lines) > 1 and EXCEL.fullmatch(lines[0][1].strip()):
        lines = lines[1:]
    at, delimiter = _names_at(lines, known)
    cells = _without_tail(split(lines[at][1], delimiter), 0)
    names = [re.sub(r"[\[(].*", "", cell).strip() for cell in cells]
    units = [match.group(1).strip() if (match := BRACKETS.search(c)) else "" for c in cells]
    rows = [(number, split(line, delimiter)) for number, line in lines[at + 1 :]]
    rows = [(number, row) for number, row in rows if any(row)]
    if rows and are_units(rows[0][1]):
        below = [cell.strip("[]() ") for cell in rows[0][1]] + [""] * len(names)
        units = [unit or other for unit, other in zip(units, below, strict=False)]
        rows = rows[1:]
    rows = [(number, _without_tail(row, len(names))) for number, row in rows]
    return Lines(delimiter, names, units, lines[at][1], rows)


def _unquoted(lines: list[Line]) -> list[Line]:
    """Lines that were each taken for one cell, and quoted as a whole."""

    def whole(line: str) -> bool:
        return line.startswith('"') and line.endswith('"') and line.count('"') == 2

    if not all(whole(line.strip()) for _, line in lines):
        return lines
    return [(number, line.strip().strip('"')) for number, line in lines]


def _names_at(lines: Sequence[Line], known: Collection[str]) -> tuple[int, str]:
    """Place of the line of names, and the delimiter that tells most of them."""

    def told(line: str, delimiter: str) -> int:
        cells = [re.sub(r"[\[(].*", "", c).strip().lower() for c in split(line, delimiter)]
        return len(set(cells) & set(known))

    for at, (_, line) in enumerate(lines[:HEAD_LINES]):
        delimiter = max(DELIMITERS, key=lambda mark: told(line, mark))
        if told(line, delimiter) >= FEWEST_NAMES:
            return at, delimiter
    return 0, max(";,\t", key=lines[0][1].count)


def _without_tail(cells: list[str], fewest: int) -> list[str]:
    """Cells without empty ones behind the last column."""
    while len(cells) > max(fewest, 1) and not cells[-1]:
        cells = cells[:-1]
    return cells
