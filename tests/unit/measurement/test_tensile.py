import re
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.material import Swift
from hpc_jobs.measurement.hardening_fits import fit_laws, stress_of
from hpc_jobs.measurement.tensile import read_tensile
from hpc_jobs.measurement.tensile_channels import Sizes
from hpc_jobs.tools import tensile

LAW = Swift(strength_mpa=900, prestrain=0.004, exponent=0.18)
E_MPA, WIDTH_R = 205_000.0, 1.4


def _curve() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Engineering strain, stress in MPa and engineering width strain of a known sheet."""
    p = np.concatenate((np.zeros(60), np.linspace(0, 0.3, 600)))
    true = stress_of(LAW, p)
    true[:60] *= np.linspace(0, 1, 60)
    along = p + true / E_MPA
    across = -WIDTH_R / (1 + WIDTH_R) * p - 0.3 * true / E_MPA
    return np.expm1(along), true * np.exp(-along), np.expm1(across)


def _write(path: Path, stress_scale: float, header: str, width_scale: float = 1) -> Path:
    strain, stress, width = _curve()
    rows = np.column_stack((100 * strain, stress_scale * stress, 100 * width_scale * width))
    path.write_text(header + "".join(f"{a:.8f}\t{b:.6f}\t{c:.8f}\n" for a, b, c in rows))
    return path


def test_a_known_sheet_is_found_again(tmp_path: Path) -> None:
    header = "Dehnung\tSpannung\tQuerdehnung\n%\tMPa\t%\n"
    found = read_tensile(_write(tmp_path / "a.txt", 1, header))
    assert found.youngs_modulus_mpa == pytest.approx(E_MPA, rel=3e-3)
    assert found.proof_stress_mpa == pytest.approx(stress_of(LAW, np.array([0.002]))[0], rel=0.01)
    assert found.uniform_strain == pytest.approx(np.expm1(0.18 - 0.004), rel=0.03)
    assert found.r_value is not None and found.r_value[0] == pytest.approx(WIDTH_R, rel=0.02)
    fits = {fit.law.law: fit for fit in fit_laws(found.plastic_strain, found.true_stress)}
    swift = fits["swift"].law
    assert isinstance(swift, Swift)
    assert swift.exponent == pytest.approx(0.18, rel=0.02)
    assert fits["swift"].rms_mpa < 1 < fits["voce"].rms_mpa


def test_a_stress_without_unit_that_is_no_metals_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.txt", 1 / 6.894757, "strain\tstress\tx\n")
    with pytest.raises(BadInput, match=r"names no unit of stress.*a metal's in ksi"):
        read_tensile(path, strain_percent=True)
    given = read_tensile(path, strain_percent=True, stress_unit="ksi")
    assert given.youngs_modulus_mpa == pytest.approx(E_MPA, rel=3e-3)


def test_force_asks_for_the_cross_section_and_compression_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.txt", 1, "Dehnung\tKraft\tx\n%\tN\t%\n")
    with pytest.raises(BadInput, match="give --width MM and --thickness MM"):
        read_tensile(path)
    path = _write(tmp_path / "b.txt", -1, "Dehnung\tSpannung\tx\n%\tMPa\t%\n")
    with pytest.raises(BadInput, match="compression test"):
        read_tensile(path)


def test_a_force_without_unit_that_is_no_metals_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.txt", 0.02, "Dehnung\tKraft\tx\n")  # kN of 20 mm^2
    sizes = Sizes(width_mm=20, thickness_mm=1)
    with pytest.raises(BadInput, match=r"names no unit of force.* a metal's in kN"):
        read_tensile(path, strain_percent=True, sizes=sizes)


def test_rows_in_reverse_are_named_and_a_spike_is_left_out(tmp_path: Path) -> None:
    head = "Dehnung\tSpannung\tQuerdehnung\n%\tMPa\t%\n"
    path = _write(tmp_path / "a.txt", 1, head)
    whole = read_tensile(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], *lines[:1:-1]]))
    with pytest.raises(BadInput, match="are rows in reverse order"):
        read_tensile(path)
    strain, _, width = lines[302].split("\t")
    lines[302] = f"{strain}\t99999\t{width}"
    path.write_text("\n".join(lines))
    found = read_tensile(path)
    assert max(found.stress) < 1000
    assert found.r_value is not None and whole.r_value is not None
    assert found.r_value[0] == pytest.approx(WIDTH_R, rel=0.02)
    assert found.r_value[0] == pytest.approx(whole.r_value[0], rel=1e-3)
    assert any(
        "1 values left out as spikes, the first 1e+05 MPa in row 301" in n for n in found.notes
    )


@pytest.mark.parametrize(
    ("header", "change", "why"),
    [
        ("Dehnung\tSpannung\tx\n%\tMPa\t%\n", 1.0, "no column of width strain, so r is not told"),
        ("Dehnung\tSpannung\tQuerdehnung\n%\tMPa\tmm\n", 1.0, "names no width, .* give --width"),
        ("Dehnung\tSpannung\tQuerdehnung\n%\tMPa\t%\n", 9.0, "is it in percent|same unit"),
        ("Dehnung\tSpannung\tQuerdehnung\n%\tMPa\t%\n", 0.0, "is 0 in all rows, so r is not"),
    ],
)
def test_where_r_is_not_told_a_note_says_why(
    tmp_path: Path, header: str, change: float, why: str
) -> None:
    path = _write(tmp_path / "a.txt", 1, header, width_scale=change)
    found = read_tensile(path)
    assert found.r_value is None
    assert len([note for note in found.notes if re.search(why, note)]) == 1


def test_a_change_of_width_in_mm_takes_the_width_that_is_given(tmp_path: Path) -> None:
    head = "Dehnung\tSpannung\tQuerdehnung\n%\tMPa\tmm\n"
    path = _write(tmp_path / "a.txt", 1, head, width_scale=0.2)  # of 20 mm
    found = read_tensile(path, sizes=Sizes(width_mm=20))
    assert found.r_value is not None and found.r_value[0] == pytest.approx(WIDTH_R, rel=0.02)


def test_a_table_with_grouped_digits_or_gaps_is_named_or_read(tmp_path: Path) -> None:
    path, (strain, stress, _) = tmp_path / "a.txt", _curve()
    rows = [f"{100 * a:.6f}\t{1000 * b:,.1f}" for a, b in zip(strain, stress, strict=True)]
    path.write_text("Strain\tStress\n%\tkPa\n" + "\n".join(rows))
    with pytest.raises(BadInput, match="has its digits grouped; export numbers without ','"):
        read_tensile(path)
    rows = [f"{'nan' if i % 2 else 100 * a}\t{stress[i]}" for i, a in enumerate(strain)]
    path.write_text("Strain\tStress\n%\tMPa\n" + "\n".join(rows))
    found = read_tensile(path)
    assert found.youngs_modulus_mpa == pytest.approx(E_MPA, rel=3e-3)
    assert any("330 rows lack" in note for note in found.notes)


def test_the_tool_writes_a_law_and_a_picture_but_replaces_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "a.txt", 1, "Dehnung\tSpannung\tQuerdehnung\n%\tMPa\t%\n")
    out, picture = tmp_path / "law.yaml", tmp_path / "law.png"
    options = [str(path), "--law", "swift", "--out", str(out), "--picture", str(picture)]
    tensile.main(options)
    assert "Rp0.2" in capsys.readouterr().out
    assert "law: swift" in out.read_text() and picture.stat().st_size > 10_000
    with pytest.raises(SystemExit, match="already"):
        tensile.main(options)
