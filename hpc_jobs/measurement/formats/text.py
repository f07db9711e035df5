"""Tables in text files, as test benches write them: what separates, what is a decimal, what heads.

A file is some lines of head, perhaps a line of column names, perhaps one of units, then numbers.
Delimiter and decimal sign are those that turn most neighbouring lines into equally long rows of
numbers. The numbers themselves are read by `table`.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hpc_jobs.contract.errors import BadInput

LOOKED_AT = 400  # lines from which the layout is recognised
BLOCK = 5  # rows before a remark that are part of the table after it
HEAD_BYTES = 1 << 17
BLANKS = " "  # the delimiter of columns that are lined up by blanks
DIALECTS = tuple(
    (delimiter, decimal)
    for decimal in ".,"
    for delimiter in ("\t", ";", ",", BLANKS)
    if delimiter != decimal
)
NUMBER = {
    ".": re.compile(r"[+−-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+−-]?(\d+,?\d*|,\d+)([eEdD][+-]?\d+)?", re.ASCII),
}
GROUPED = re.compile(r"[+−-]?\d{1,3}([.,' \u00a0\u202f’])\d{3}(\1\d{3})*([.,]\d*)?", re.ASCII)
"""Digits in groups of three; with a point or comma between, a decimal sign must follow or other
groups, else they may be decimals."""
MISSING = (
    *("", "nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "nan(ind)", "-nan(ind)", "1.#QNAN"),
    *("-1.#IND", "1.#IND", "-1.#IND00", "1.#QNAN0", "NaN.", "null", "NULL", "None", "n/a", "N/A"),
    *("NA", "#N/A", "#NV", "-", "--", "---", "inf", "-inf", "Inf", "-Inf", "1.#INF", "-1.#INF"),
    *("nicht bekannt",),
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
    every = (_runs(lines, *dialect) for dialect in DIALECTS)
    runs = max(every, key=lambda runs: _best(runs).merit)
    found = _best(runs)
    _check_groups(path, lines)
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
    columns = tuple(map(_column, names, units))
    return Layout(
        encoding, found.delimiter, found.decimal, tuple(lines[:above]), columns, found.first
    )


def split(line: str, delimiter: str) -> list[str]:
    """Cells of a line, without blanks and quotes around them."""
    if delimiter == BLANKS:
        return line.split()
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip().strip('"').strip() for cell in cells]


def number(text: str, decimal: str = ".") -> float:
    """Read a number as people write one; raises ValueError."""
    text = text.strip()
    if not NUMBER[decimal].fullmatch(text):
        raise ValueError(text)
    plain = text.replace(",", ".").replace("d", "e").replace("D", "e")
    return float(plain.replace("−", "-"))


def grouped(text: str) -> str:
    """Say, after a semicolon, that a number's digits are grouped by thousands; "" if not."""
    match = GROUPED.fullmatch(text.strip())
    if not match or (match.group(1) in ".," and not (match.group(2) or match.group(3))):
        return ""
    return f" without '{match.group(1)}' between the thousands"


def _check_groups(path: Path, lines: Sequence[str]) -> None:
    """Refuse a table whose digits are grouped by thousands, whatever parts its columns."""
    for delimiter in (";", "\t", ","):
        found = [
            (i, cell, words)
            for i, line in enumerate(lines, 1)
            for cell in split(line, delimiter)
            if (words := grouped(cell))
        ]
        if len(found) >= BLOCK:
            line, cell, words = found[0]
            raise BadInput(
                f"{path}: line {line}: '{cell}' has its digits grouped; export numbers{words}"
            )


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring rows of numbers; the run with most numbers is the table."""

    numbers: int = 0
    rows: int = 0
    cells: int = 0
    first: int = 0
    delimiter: str = ","
    decimal: str = "."

    @property
    def merit(self) -> tuple[int, int, bool, int]:
        """More numbers, more rows; columns lined up by blanks last, as names hold blanks too."""
        return self.numbers, self.rows, self.delimiter != BLANKS, -self.first


def _best(runs: Sequence[_Run]) -> _Run:
    return max(runs, key=lambda run: run.merit, default=_Run())


def _runs(lines: Sequence[str], delimiter: str, decimal: str) -> list[_Run]:
    """Find all runs of equally long rows of numbers, in their order."""
    found = list[_Run]()
    run = _Run()
    for i, line in enumerate(lines):
        if run.rows and line.startswith("#"):  # a remark amid the rows
            continue
        cells = [] if line.startswith("#") else split(line, delimiter)
        if cells and cells[-1] == "":
            cells.pop()
        if are_units(cells):  # among which 1 is no number
            cells = []
        numbers = sum(NUMBER[decimal].fullmatch(cell) is not None for cell in cells)
        told = numbers + sum(cell in MISSING and cell != "" for cell in cells)
        if numbers < 1 or told < 2 or 2 * told < len(cells):
            run = _Run()
            continue
        if not run.rows or len(cells) != run.cells:
            run = _Run(0, 0, len(cells), i, delimiter, decimal)
            found.append(run)
        run = replace(run, numbers=run.numbers + numbers, rows=run.rows + 1)
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
