"""Tables in text files, as test benches write them: what separates, what is a decimal, what heads.

A file is some lines of head, perhaps a line of column names, perhaps one of units, then numbers.
Delimiter and decimal sign are those that turn most neighbouring lines into equally long rows of
numbers. Digits grouped by thousands count as numbers there, so that a table of them is recognised
for what it is, and refused: 1,234 may be two numbers or one, and only its layout tells. The numbers
themselves are read by `table`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.cells import (
    BLANKS,
    GROUPED_BY_BLANKS,
    MISSING,
    grouped,
    is_grouped,
    is_number,
    parting,
    split,
)

LOOKED_AT = 400  # lines from which the layout is recognised
BLOCK = 5  # rows before a remark that are part of the table after it
HEAD_BYTES = 1 << 17
DIALECTS = tuple(
    (delimiter, decimal)
    for decimal in ".,"
    for delimiter in ("\t", ";", ",", BLANKS)
    if delimiter != decimal
)
UNITS = re.compile(
    r"(s|sec|ms|min|h|d|m|mm|cm|µm|um|nm|in|px|pixel|pixels|n|kn|mn|lbf|mpa|gpa|pa|psi|ksi|n/mm²|"
    r"n/mm2|n/mm\^2|%|1|-|mm/mm|m/m|strain|v|volt|°c|degc|c|hz|mm/min|deg|°|rad|)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its header names it."""

    name: str  # without quotes, blanks around, unit and remark
    unit: str  # "" where none is said
    remark: str  # after the unit: `exx [1] - Lagrange` has the remark Lagrange
    written: str  # the whole


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out; frames of one series share it."""

    encoding: str
    delimiter: str
    decimal: str
    head: tuple[str, ...]  # lines before the column names
    columns: tuple[Column, ...]  # named "" where the file has no names
    first: int  # line of the first numbers, from 0

    @cached_property
    def named(self) -> bool:
        """Whether the file names its columns."""
        return any(column.name for column in self.columns)


def encoding_of(head: bytes) -> str:
    """Name the encoding: by its mark, UTF-16 by its zeros, UTF-8 if it is valid, or Windows'."""
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = head[:400].count(0)
    if zeros > len(head[:400]) // 4:
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    try:
        head[: head.rfind(b"\n") + 1 or len(head)].decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def read_head(path: Path) -> tuple[str, list[str]]:
    """Return encoding and first lines of a text file; raises BadInput saying what it is instead."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            whole = len(head) < HEAD_BYTES
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: a folder, not a file; name the file in it") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if not head.strip():
        raise BadInput(f"{path}: is empty")
    encoding = encoding_of(head)
    text = head.decode(encoding, errors="replace")
    if "\0" in text:
        raise BadInput(f"{path}: no text file; export it as text (CSV)")
    lines = text.splitlines()
    return encoding, lines if whole else lines[:-1]


def layout_of(path: Path) -> Layout:
    """Recognise how a file is laid out; raises BadInput where no rows of numbers are found."""
    encoding, lines = read_head(path)
    lines = lines[: LOOKED_AT + 1]
    parted = [parting(line) for line in lines]
    every = (_runs(lines, parted, *dialect) for dialect in DIALECTS)
    runs = max(every, key=lambda runs: _best(runs).merit)
    found = _best(runs)
    if not found.rows:
        raise BadInput(
            f"{path}: no rows of at least two numbers in its first {len(lines)} lines; export the "
            "table as text, a row a line"
        )
    # Remarks or heads may part a table: it begins with its first block
    found = next(
        run for run in runs if (run.cells == found.cells and run.rows >= BLOCK) or run is found
    )
    names, units, above = _header(lines[: found.first], found)
    _check_groups(path, lines, found, names)
    columns = tuple(map(_column, names, units))
    return Layout(
        encoding, found.delimiter, found.decimal, tuple(lines[:above]), columns, found.first
    )


def _check_groups(path: Path, lines: Sequence[str], found: "_Run", names: list[str]) -> None:
    """Refuse a table whose digits are grouped by thousands."""
    groups = [
        (i, cell)
        for i, line in enumerate(lines[found.first :], found.first + 1)
        for cell in split(line, found.delimiter)
        if is_grouped(cell, found.decimal) and grouped(cell)
    ]
    if not groups and found.delimiter == BLANKS and names[0] == "" and any(names):
        # A column more than names: an index, or what blanks group
        groups = [
            (i, match.group())
            for i, line in enumerate(lines[found.first :], found.first + 1)
            if (match := GROUPED_BY_BLANKS.search(line))
        ]
    if len(groups) >= BLOCK:
        line, cell = groups[0]
        raise BadInput(
            f"{path}: line {line}: '{cell}' has its digits grouped; export numbers{grouped(cell)}"
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring rows of numbers; the run with most numbers is the table."""

    numbers: int = 0  # those with grouped digits among them
    grouped: int = 0
    others: int = 0  # cells that are no number, and do not say that one is missing
    rows: int = 0
    cells: int = 0
    first: int = 0
    delimiter: str = ","
    decimal: str = "."

    @property
    def merit(self) -> tuple[int, int, int, int, bool, int]:
        """More numbers, more rows, fewer cells that are none, fewer grouped digits.

        Columns lined up by blanks come last, as names hold blanks too.
        """
        plain = -self.others, -self.grouped, self.delimiter != BLANKS
        return self.numbers, self.rows, *plain, -self.first


def _best(runs: Sequence[_Run]) -> _Run:
    return max(runs, key=lambda run: run.merit, default=_Run())


def _runs(lines: Sequence[str], parted: Sequence[str], delimiter: str, decimal: str) -> list[_Run]:
    """Find all runs of equally long rows of numbers, in their order; parted as `parting` says."""
    found = list[_Run]()
    run = _Run()
    for i, line in enumerate(lines):
        if run.rows and line.startswith("#"):  # a remark amid the rows
            continue
        foreign = line.startswith("#") or parted[i] not in ("", delimiter)
        cells = [] if foreign else split(line, delimiter)
        if cells and cells[-1] == "":
            cells.pop()
        if are_units(cells):  # among which 1 is no number
            cells = []
        groups = sum(is_grouped(cell, decimal) for cell in cells)
        numbers = sum(is_number(cell, decimal) for cell in cells) + groups
        missing = [cell for cell in cells if cell in MISSING]
        told = numbers + sum(cell != "" for cell in missing)
        if numbers < 1 or told < 2 or 2 * told < len(cells):
            run = _Run()
            continue
        if not run.rows or len(cells) != run.cells:
            run = _Run(cells=len(cells), first=i, delimiter=delimiter, decimal=decimal)
            found.append(run)
        run = replace(
            run,
            numbers=run.numbers + numbers,
            grouped=run.grouped + groups,
            others=run.others + len(cells) - numbers - len(missing),
            rows=run.rows + 1,
        )
        found[-1] = run
    return found


def _header(above: Sequence[str], run: _Run) -> tuple[list[str], list[str], int]:
    """Names and units of the columns, and the number of lines before the names."""
    nothing = [""] * run.cells
    at = [i for i, line in enumerate(above) if line.strip()]
    if not at:
        return nothing, nothing, 0
    last = split(above[at[-1]].lstrip("# "), run.delimiter)
    if are_units(last) and len(at) > 1:
        names = split(above[at[-2]].lstrip("# "), run.delimiter)
        if _fits(names, run.cells):
            units = [cell.strip("[]() ") for cell in last]
            return _padded(names, run.cells), _padded(units, run.cells), at[-2]
    if _fits(last, run.cells):
        return _padded(last, run.cells), nothing, at[-1]
    return nothing, nothing, at[-1] + 1


def are_units(cells: Sequence[str]) -> bool:
    """Whether cells are units and nothing else, more than 1 and - among them."""
    words = [cell.strip("[]() ") for cell in cells]
    return all(map(UNITS.fullmatch, words)) and any(re.search("[a-z°%]", w, re.I) for w in words)


def _fits(names: Sequence[str], cells: int) -> bool:
    """Say whether these may be the names of so many columns; an index column may lack its own."""
    words = [name for name in names if name not in MISSING]
    return cells - 1 <= len(names) <= cells + 1 and any(re.search("[A-Za-z]", n) for n in words)


def _padded(names: list[str], cells: int) -> list[str]:
    """As many names as cells: an index column without a name stands first."""
    if len(names) < cells:
        return [""] * (cells - len(names)) + names
    return names[:cells]


def _column(written: str, unit: str) -> Column:
    match = re.fullmatch(r"(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]\s*(?:-\s*(.*))?", written)
    if match:
        name, inner, remark = match.groups()
        return Column(name.strip(), inner or unit, (remark or "").strip(), written)
    name, dash, remark = written.partition(" - ")
    return Column(name.strip(), unit, remark.strip() if dash else "", written)


def spoken(columns: Iterable[Column]) -> str:
    """Names of columns as they are written, for a message."""
    return ", ".join(f"'{column.written}'" for column in columns)
