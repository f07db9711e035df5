"""The validity report meets every reference, and says so when one is missed."""

import sys
from pathlib import Path

import pytest

from benchmarks import fem_verification
from benchmarks.verification import yield_loci
from benchmarks.verification.check import Check


@pytest.mark.slow
def test_a_wrong_reference_is_the_only_one_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others are met: this is the whole report."""
    wrong = (*yield_loci.CURVE_STRESS[:-1], 0.9102)
    monkeypatch.setattr(yield_loci, "CURVE_STRESS", wrong)
    monkeypatch.setattr(sys, "argv", ["fem_verification", "--docs", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"error: 1 of 1\d\d references are missed"):
        fem_verification.main()
    text = (tmp_path / "fem-verification.md").read_text()
    missed = [line for line in text.splitlines() if "MISSED" in line]
    assert len(missed) == 1
    assert missed[0].startswith("| σ(90°) | independent prototype | 0.9102 | 0.91000 | -2.0e-04 |")
    for figure in ("fem-verification-yield.png", "fem-verification-strip.png"):
        assert (tmp_path / figure).stat().st_size > 10_000


def check(expected: float, found: float, tolerance: float, *, relative: bool = False) -> Check:
    return Check(
        group="", name="", source="", expected=expected, found=found, tolerance=tolerance,
        relative=relative,
    )  # fmt: skip


def test_within_its_tolerance_a_reference_is_met() -> None:
    assert check(2.0, 2.1, 0.11).met
    assert not check(2.0, 2.1, 0.09).met
    assert check(-2.0, -2.1, 0.06, relative=True).met
    assert not check(-2.0, -2.1, 0.04, relative=True).met
    assert not check(2.0, float("nan"), 1.0).met
