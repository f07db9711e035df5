"""Tables in text files, as test benches write them: what separates, what is a decimal, what heads.

A file is some lines of head, perhaps a line of column names, perhaps one of units, then numbers.
Delimiter and decimal sign are those that turn most neighbouring lines into equally long rows of
numbers. Nothing is guessed about a single number: what is no number by then is an error with its
line, and digits grouped by underscores, as Python would read them, are none.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput

LOOKED_AT = 400  # lines from which the layout is recognised
HEAD_BYTES = 1 << 17
BLANKS = " "  # the delimiter of columns that are lined up by blanks
DIALECTS = tuple(
    (delimiter, decimal)
    for decimal in ".,"
    for delimiter in ("\t", ";", ",", BLANKS)
    if delimiter != decimal
)
NUMBER = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eEdD][+-]?\d+)?"),
}
MISSING = (
    *("", "nan", "NaN", "NAN", "-nan", "nan(ind)", "-nan(ind)", "null", "n/a", "N/A", "NA"),
    *("-", "---", "inf", "-inf", "Inf", "-Inf", "nicht bekannt"),
)
UNITS = re.compile(
    r"(s|sec|ms|min|h|d|m|mm|cm|µm|um|nm|in|px|pixel|pixels|n|kn|mn|lbf|mpa|gpa|pa|psi|ksi|n/mm²|"
    r"n/mm2|n/mm\^2|%|1|-|mm/mm|m/m|strain|v|volt|°c|degc|c|hz|mm/min|)",
    re.IGNORECASE,
)

Values = NDArray[np.float64]


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
    runs = (_longest(lines, *dialect) for dialect in DIALECTS)
    found = max(runs, key=lambda run: run.merit)
    if not found.rows:
        raise BadInput(
            f"{path}: no rows of at least two numbers in its first {len(lines)} lines; export the "
            "table as text, a row a line"
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
    return float(text.replace(",", ".").replace("d", "e").replace("D", "e"))


def read_columns(path: Path, layout: Layout, wanted: Sequence[int]) -> Values:
    """Read some columns, by position from 0, as (rows, wanted); NaN where a cell says missing.

    Raises BadInput with line and column of what is no number.
    """
    wanted = list(dict.fromkeys(wanted))
    try:
        table = _parsed(path, layout, wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise BadInput(_culprit(path, layout, wanted) or f"{path}: {error}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None
    columns = [table[_key(i)].to_numpy(zero_copy_only=False) for i in wanted]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def read_rows(path: Path, layout: Layout) -> tuple[Values, int]:
    """Read a small table line by line, (rows, columns), and how many lines were no part of it.

    Machines write titles and heads between blocks: lines that do not have the table's cells, or
    that repeat its names and units. Text in a column is NaN.
    """
    text = path.read_text(encoding=layout.encoding, errors="replace")
    width, rows, others = len(layout.columns), list[list[float]](), 0
    for line in text.splitlines()[layout.first :]:
        cells = split(line, layout.delimiter)
        if not any(cells):
            continue
        row = [_cell(cell, layout.decimal) for cell in cells[:width]]
        told = int(np.isfinite(row).sum()) + sum(cell in MISSING for cell in cells)
        if len(cells) < width - 1 or np.isfinite(row).sum() < 2 or told < len(cells) // 2:
            others += 1
        else:
            rows.append(row + [np.nan] * (width - len(row)))
    return np.array(rows).reshape(len(rows), width), others


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


def _longest(lines: Sequence[str], delimiter: str, decimal: str) -> _Run:
    """Find the longest run of equally long rows of numbers."""
    best, run = _Run(), _Run()
    for i, line in enumerate(lines):
        cells = [] if line.startswith("#") else split(line, delimiter)
        if cells and cells[-1] == "":
            cells.pop()
        numbers = sum(NUMBER[decimal].fullmatch(cell) is not None for cell in cells)
        told = numbers + sum(cell in MISSING and cell != "" for cell in cells)
        if numbers < 2 or 2 * told < len(cells):
            run = _Run()
            continue
        if not run.rows or len(cells) != run.cells:
            run = _Run(0, 0, len(cells), i, delimiter, decimal)
        run = replace(run, numbers=run.numbers + numbers, rows=run.rows + 1)
        best = max(best, run, key=lambda run: run.merit)
    return best


def _header(above: Sequence[str], run: _Run) -> tuple[list[str], list[str], int]:
    """Names and units of the columns, and the number of lines before the names."""
    nothing = [""] * run.cells
    at = [i for i, line in enumerate(above) if line.strip()]
    if not at:
        return nothing, nothing, 0
    last = split(above[at[-1]].lstrip("# "), run.delimiter)
    are_units = sum(UNITS.fullmatch(cell.strip("[]() ")) is not None for cell in last) == len(last)
    if are_units and len(at) > 1 and any(last):
        names = split(above[at[-2]].lstrip("# "), run.delimiter)
        if _fits(names, run.cells):
            units = [cell.strip("[]() ") for cell in last]
            return _padded(names, run.cells), _padded(units, run.cells), at[-2]
    if _fits(last, run.cells):
        return _padded(last, run.cells), nothing, at[-1]
    return nothing, nothing, at[-1] + 1


def _fits(names: Sequence[str], cells: int) -> bool:
    """Say whether these may be the names of so many columns; an index column may lack its own."""
    return cells - 1 <= len(names) <= cells + 1 and any(re.search("[A-Za-z]", n) for n in names)


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


def _key(position: int) -> str:
    return f"c{position}"


def _parsed(path: Path, layout: Layout, wanted: Sequence[int]) -> pa.Table:
    """Parse the body with Arrow: several megabytes a frame in a fraction of a second."""
    source: Path | io.BytesIO = path
    delimiter, encoding, skipped = layout.delimiter, layout.encoding, layout.first
    if delimiter == BLANKS or encoding.startswith("utf-16"):
        lines = path.read_text(encoding=encoding, errors="replace").splitlines()[skipped:]
        if delimiter == BLANKS:
            lines, delimiter = ["\t".join(line.split()) for line in lines], "\t"
        source, encoding, skipped = io.BytesIO("\n".join(lines).encode()), "utf-8", 0
    return arrow_csv.read_csv(
        source,
        read_options=arrow_csv.ReadOptions(
            column_names=[_key(i) for i in range(_cells(path, layout))],
            skip_rows=skipped,
            encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, invalid_row_handler=lambda row: "skip"
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={_key(i): pa.float64() for i in wanted},
            include_columns=[_key(i) for i in wanted],
            null_values=list(MISSING),
            strings_can_be_null=True,
            decimal_point=layout.decimal,
        ),
    )


def _cells(path: Path, layout: Layout) -> int:
    """Cells of a line of the body: a delimiter at its end makes one more than there are columns."""
    with path.open(encoding=layout.encoding, errors="replace") as file:
        line = next(islice(file, layout.first, None), "")
    if layout.delimiter == BLANKS:
        return len(line.split())
    return len(next(csv.reader([line.rstrip("\r\n")], delimiter=layout.delimiter), []))


def _culprit(path: Path, layout: Layout, wanted: Sequence[int]) -> str:
    """Name the first cell that is no number."""
    with path.open(encoding=layout.encoding, errors="replace") as file:
        for line_number, line in enumerate(islice(file, layout.first, None), layout.first + 1):
            cells = split(line, layout.delimiter)
            for i in wanted:
                text = cells[i] if i < len(cells) else ""
                if not NUMBER[layout.decimal].fullmatch(text) and text not in MISSING:
                    name = layout.columns[i].written if i < len(layout.columns) else f"{i + 1}"
                    return f"{path}: line {line_number}: {name} is '{text}'; give a number"
    return ""


def _cell(text: str, decimal: str) -> float:
    try:
        return number(text, decimal)
    except ValueError:
        return np.nan


def spoken(columns: Iterable[Column]) -> str:
    """Names of columns as they are written, for a message."""
    return ", ".join(f"'{column.written}'" for column in columns)
