"""Cells of a line of text, and the numbers in them, as people and test benches write these."""

import csv
import re

BLANKS = " "  # the delimiter of columns that are lined up by blanks
NUMBER = {
    ".": re.compile(r"[+−-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+−-]?(\d+,?\d*|,\d+)([eEdD][+-]?\d+)?", re.ASCII),
}
GROUPED = re.compile(r"[+−-]?\d{1,3}([.,' \u00a0\u202f’])\d{3}(\1\d{3})*([.,]\d*)?", re.ASCII)
"""Digits in groups of three; with a point or comma between, a decimal sign must follow or other
groups, else they may be decimals."""
GROUPED_BY_BLANKS = re.compile(r"(?<!\S)[+−-]?\d{1,3}( \d{3})+([.,]\d*)?(?!\S)", re.ASCII)
"""Of one blank each, where columns are parted by blanks, too."""
MISSING = (
    *("", "nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "nan(ind)", "-nan(ind)", "1.#QNAN"),
    *("-1.#IND", "1.#IND", "-1.#IND00", "1.#QNAN0", "NaN.", "null", "NULL", "None", "n/a", "N/A"),
    *("NA", "#N/A", "#NV", "-", "--", "---", "inf", "-inf", "Inf", "-Inf", "1.#INF", "-1.#INF"),
    *("nicht bekannt",),
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


def is_number(text: str, decimal: str) -> bool:
    """Whether a cell is a number that `number` reads."""
    return NUMBER[decimal].fullmatch(text) is not None


def is_grouped(text: str, decimal: str) -> bool:
    """Whether a cell would be a number, were its digits not grouped by another sign."""
    match = GROUPED.fullmatch(text)
    if not match or is_number(text, decimal):
        return False
    return match.group(1) != decimal and (match.group(3) or decimal)[0] == decimal


def parting(line: str) -> str:
    """Return the delimiter that alone can part a line into numbers; "" where that is open.

    No number holds a semicolon or a tab, nor a comma before a blank. Where blanks part a line into
    numbers that all have a decimal comma, commas would part it into digits grouped by blanks.
    """
    for delimiter in (";", "\t"):
        if delimiter in line and any(_whole(split(line, delimiter), decimal) for decimal in ".,"):
            return delimiter
    if "," not in line or not re.search(r"\s", line):
        return ""
    if not re.search(r",(?!\s)", line.strip()):
        return "," if _whole(split(line, ","), ".") else ""
    cells = split(line, BLANKS)
    return BLANKS if _whole(cells, ",") and all(re.search(r"\d,\d", c) for c in cells) else ""


def _whole(cells: list[str], decimal: str) -> bool:
    """Whether cells are two numbers or more, and nothing beside them but what says missing."""
    others = [cell for cell in cells if not (is_number(cell, decimal) or is_grouped(cell, decimal))]
    return len(cells) - len(others) > 1 and all(cell in MISSING for cell in others)
