"""The robustness report counts every record, and names where most fail."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fem_robustness
from benchmarks.robustness.regions import AXES


def test_failures_are_counted_by_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn further than campaigns do, so that many neck."""
    further = {"mesh": "coarse", "end_displacement_mm": 1.05}
    monkeypatch.setattr(fem_robustness, "OVERRIDES", {"solver": "native", "specimens": further})
    path = tmp_path / "found.json"
    options = ["--records=200", "--reference=3", f"--docs={tmp_path}", f"--json={path}"]
    monkeypatch.setattr(sys, "argv", ["fem_robustness", *options])
    fem_robustness.main()
    found = json.loads(path.read_text())
    assert sum(found["by_status"].values()) == 200
    assert found["unexplained"] == 0
    failed = 1 - found["by_status"]["ok"] / 200
    assert failed > 0.05
    for axis in AXES:  # bins of equal count
        assert np.mean(found["rates"][axis]) == pytest.approx(failed)
    assert found["worst_rate"] == max(max(row) for row in found["rates"].values()) > failed
    assert 30 < found["peak_memory_mb"] < fem_robustness.MEMORY_GOAL_MB
    assert found["reference_differs"] == {}
    page = (tmp_path / "fem-robustness.md").read_text()
    assert found["worst_region"] in page
    assert (tmp_path / "fem-robustness.png").stat().st_size > 5_000
