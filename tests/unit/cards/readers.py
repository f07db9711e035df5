"""Readers of cards that know the codes' manuals, and nothing of how this project writes them."""

from dataclasses import dataclass, field


@dataclass
class Keyword:
    """One LS-DYNA keyword: its rows, comments left out; TITLE options have theirs first."""

    name: str
    rows: list[str] = field(default_factory=list)


def read_keywords(text: str) -> dict[str, Keyword]:
    found: dict[str, Keyword] = {}
    for line in text.splitlines():
        assert len(line) <= 80, line
        assert line.isascii(), line
        if line.startswith("$"):
            continue
        if line.startswith("*"):
            current = Keyword(line.strip())
            found[current.name] = current
        else:
            current.rows.append(line)
    return found


def cells(row: str, width: int = 10) -> list[str]:
    return [row[i : i + width].strip() for i in range(0, len(row.rstrip()), width)]


def numbers(row: str, names: str, width: int = 10) -> dict[str, float]:
    """Fields by the manual's names, in its order; blank ones are left out."""
    return {
        name: float(cell)
        for name, cell in zip(names.split(), cells(row, width), strict=False)
        if cell
    }


@dataclass
class Mat133:
    fields: dict[str, float]
    curve: list[tuple[float, float]]


def read_mat133(text: str) -> Mat133:
    """LS-DYNA manual, volume II, *MAT_133 without Chaboche-Roussilier and fit cards."""
    keywords = read_keywords(text)
    rows = keywords["*MAT_BARLAT_YLD2000_TITLE"].rows[1:]
    fields = numbers(rows[0], "mid ro e pr fit beta iter iscale")
    fields |= numbers(rows[1], "k e0 n c p hard a")
    fields |= numbers(rows[2], " ".join(f"alpha{i}" for i in range(1, 9)))
    fields |= numbers(rows[3], "aopt offang p4 htflag hta htb htc htd")
    fields |= numbers(rows[4], "- - - a1 a2 a3")
    fields |= numbers(rows[5], "v1 v2 v3 d1 d2 d3 usrfail")
    assert len(rows) == 6
    return Mat133(fields, read_curve(keywords, lcid=-fields["hard"]))


@dataclass
class Mat036:
    fields: dict[str, float]
    curve: list[tuple[float, float]]


def read_mat036(text: str) -> Mat036:
    """LS-DYNA manual, volume II, *MAT_036 with HR 3."""
    keywords = read_keywords(text)
    rows = keywords["*MAT_3-PARAMETER_BARLAT_TITLE"].rows[1:]
    fields = numbers(rows[0], "mid ro e pr hr p1 p2 iter")
    fields |= numbers(rows[1], "m r00 r45 r90 lcid e0 spi p3")
    fields |= numbers(rows[2], "aopt c p vlcid - pb nlp htb")
    fields |= numbers(rows[3], "- - - a1 a2 a3 htc htd")
    fields |= numbers(rows[4], "v1 v2 v3 d1 d2 d3 beta htflag")
    assert len(rows) == 5
    return Mat036(fields, read_curve(keywords, lcid=fields["lcid"]))


def read_curve(keywords: dict[str, Keyword], lcid: float) -> list[tuple[float, float]]:
    rows = keywords["*DEFINE_CURVE_TITLE"].rows[1:]
    head = numbers(rows[0], "lcid sidr sfa sfo offa offo dattyp lcint")
    assert head["lcid"] == lcid
    assert (head["sfa"], head["sfo"], head["offa"], head["offo"]) == (1, 1, 0, 0)
    assert head["lcint"] >= 1000, "resampled at equal steps, by default a hundred of them"
    points = [numbers(row, "a o", width=20) for row in rows[1:]]
    return [(point["a"], point["o"]) for point in points]


def read_abaqus(text: str) -> dict[str, list[list[float]]]:
    """Data lines by keyword; names without their parameters."""
    found: dict[str, list[list[float]]] = {}
    for line in text.splitlines():
        if line.startswith("**"):
            continue
        if line.startswith("*"):
            current = found.setdefault(line.split(",")[0].upper(), [])
        else:
            current.append([float(cell) for cell in line.split(",") if cell.strip()])
    return found
