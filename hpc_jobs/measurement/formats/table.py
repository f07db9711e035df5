"""Numbers of a text file whose layout is known, as columns or line by line.

Nothing is guessed about a single number: what is no number is an error with its line, and digits
grouped by underscores, as Python would read them, are none.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.cells import (
    BLANKS,
    MISSING,
    grouped,
    is_number,
    number,
    split,
)
from hpc_jobs.measurement.formats.text import Layout

UNEVEN = 0.01  # of the lines may lack cells, beside a last one that was cut off
NUMBER_LIKE = re.compile(r"[+−-]?\d[\d.,'_ \u00a0\u202f’]*([eE][+-]?\d+)?", re.ASCII)
"""What a person takes for a number, whether it can be read or not."""

Values = NDArray[np.float64]


def read_columns(path: Path, layout: Layout, wanted: Sequence[int]) -> Values:
    """Read some columns, by position from 0, as (rows, wanted); NaN where a cell says missing.

    Raises BadInput with line and column of what is no number.
    """
    wanted = list(dict.fromkeys(wanted))
    uneven = list[str]()
    try:
        table = _parsed(path, layout, wanted, uneven)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise BadInput(_culprit(path, layout, wanted) or f"{path}: {error}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(uneven) > UNEVEN * table.num_rows + 1:
        raise BadInput(
            f"{path}: {len(uneven)} lines have other than {len(layout.columns)} cells, such as "
            f"'{uneven[0].strip()[:60]}', beside {table.num_rows} that have them; export the table "
            "again"
        )
    columns = [table[_key(i)].to_numpy(zero_copy_only=False) for i in wanted]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A small table, read line by line."""

    values: Values  # (rows, columns), NaN where a cell is missing or no number
    others: int  # lines that were no part of it
    garbled: dict[int, tuple[int, str]]  # column -> line, from 1, and text of its first bad cell

    def check(self, path: Path, layout: Layout, column: int, remedy: str) -> None:
        """Raise BadInput where a cell of a column is neither a number nor missing."""
        if column not in self.garbled:
            return
        line, text = self.garbled[column]
        raise BadInput(
            f"{path}: line {line}: {layout.columns[column].written} is '{text}'; give a number"
            f"{grouped(text)}, or {remedy}"
        )


def read_rows(path: Path, layout: Layout) -> Rows:
    """Read a small table line by line.

    Machines write titles and heads between blocks: lines that do not have the table's cells, or
    that repeat its names and units. A text that says missing is NaN, another one is garbled.
    """
    text = path.read_text(encoding=layout.encoding, errors="replace")
    width, rows, others = len(layout.columns), list[list[float]](), 0
    garbled = dict[int, tuple[int, str]]()
    for i, line in enumerate(text.splitlines()[layout.first :], layout.first + 1):
        cells = split(line, layout.delimiter)
        if not any(cells):
            continue
        row = [_cell(cell, layout.decimal) for cell in cells[:width]]
        numbers, missing = int(np.isfinite(row).sum()), [c for c in cells if c in MISSING]
        told = numbers + sum(cell != "" for cell in missing)
        like = sum(NUMBER_LIKE.fullmatch(cell) is not None for cell in cells)
        of_table = told > 1 and 2 * (numbers + len(missing)) >= len(cells) - 1
        if len(cells) < width - 1 or not (of_table or like > 1):
            others += 1
            continue
        for column, cell in enumerate(cells[:width]):
            if np.isnan(row[column]) and cell not in MISSING:
                garbled.setdefault(column, (i, cell))
        rows.append(row + [np.nan] * (width - len(row)))
    return Rows(np.array(rows).reshape(len(rows), width), others, garbled)


def _key(position: int) -> str:
    return f"c{position}"


def _parsed(path: Path, layout: Layout, wanted: Sequence[int], uneven: list[str]) -> pa.Table:
    """Parse the body with Arrow: several megabytes a frame in a fraction of a second.

    Lines of another number of cells are left out, and appended to `uneven` but for remarks.
    """

    def left_out(row: arrow_csv.InvalidRow) -> str:
        if not row.text.startswith("#"):
            uneven.append(row.text)
        return "skip"

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
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=left_out),
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
                if not is_number(text, layout.decimal) and text not in MISSING:
                    name = layout.columns[i].written if i < len(layout.columns) else f"{i + 1}"
                    remedy = f"give a number{grouped(text)}"
                    return f"{path}: line {line_number}: {name} is '{text}'; {remedy}"
    return ""


def _cell(text: str, decimal: str) -> float:
    try:
        return number(text, decimal)
    except ValueError:
        return np.nan
