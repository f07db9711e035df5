"""The notebook of the documentation runs as it stands, and ends with a card of the true sheet."""

import contextlib
import io
from pathlib import Path
from typing import Any

import jupytext
import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.slow
def test_from_frames_to_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    notebook = jupytext.read(CHECKOUT / "docs" / "from-frames-to-a-card.md")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for number, source in enumerate(cells, 1):
            exec(compile(source, f"cell {number}", "exec"), names)
    sheet, folder, true = names["asked"].sheet, names["folder"], names["true"]
    assert sheet.verdict in ("answered", "reservations")
    # a coarse mesh with a quarter of a production mesh's elements: near, and not surer than that
    for quantity in ("r_value_0", "r_value_45", "r_value_90"):
        assert abs(sheet.quantities[quantity].value - true[quantity]) < 0.15, quantity
    assert "*MAT_BARLAT_YLD2000" in (folder / "cards" / "coil-7_mat133.k").read_text()
    page = (folder / "coil-7.html").read_text()
    assert "How the test was imported" in page and "coil-7 has r0 = " in printed.getvalue()
