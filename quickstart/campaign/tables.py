"""Tables that fit a terminal: columns for which a line has no room stand below the others."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2  # characters between columns: one of padding, one where other boxes draw a line

Cell = str | Text


def print_table(
    console: Console,
    title: str,
    heads: Sequence[Cell],
    rows: Sequence[Sequence[Cell]],
) -> None:
    """Print a table whose first column names the rows, in as many parts as the width needs.

    Nothing is cut or abbreviated: a head may stand on several lines, a cell never does.

    Parameters
    ----------
    heads
        Of the columns, (columns,).
    rows
        Cells, (rows, columns).
    """
    console.print()
    console.print(title, style="bold", markup=False, highlight=False)
    for part in parts([heads, *rows], console.width):
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0)
        )
        for column in part:
            table.add_column(heads[column], justify="left" if column == 0 else "right")
        for row in rows:
            table.add_row(*(row[column] for column in part))
        console.print(table)


def parts(rows: Sequence[Sequence[Cell]], width: int) -> Iterator[list[int]]:
    """Share the columns out over parts no wider than that; the first column leads each of them.

    A part has at least one column beside the first, however narrow the terminal is.
    """
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    part, used = [0], widths[0]
    for column in range(1, len(widths)):
        if len(part) > 1 and used + GAP + widths[column] > width:
            yield part
            part, used = [0], widths[0]
        part.append(column)
        used += GAP + widths[column]
    yield part


def _width(cell: Cell) -> int:
    return max(map(cell_len, str(cell).splitlines()), default=0)
