from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.measurement.csv_format import read_csv, write_csv
from hpc_jobs.measurement.file import Measurement, UnusableMeasurement, read_measurement
from hpc_jobs.tools import import_measurement


@pytest.fixture
def csv_file(tmp_path: Path, measurement: Measurement) -> Path:
    path = tmp_path / "bench.csv"
    write_csv(path, measurement)
    return path


def test_csv_keeps_the_layout_and_the_digits(
    csv_file: Path, header: MeasurementHeader, measurement: Measurement
) -> None:
    read = read_csv(csv_file, header)
    np.testing.assert_allclose(read.strains, measurement.strains, atol=5.1e-7)
    np.testing.assert_allclose(read.forces, measurement.forces, atol=0.051)


def test_the_order_of_rows_and_columns_is_free(
    csv_file: Path, tmp_path: Path, header: MeasurementHeader
) -> None:
    head, *rows = [line.split(",") for line in csv_file.read_text().splitlines()]
    shuffled = [head, *(rows[i] for i in np.random.default_rng(1).permutation(len(rows)))]
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join(", ".join(reversed(row)) for row in shuffled))
    one, other = read_csv(csv_file, header), read_csv(turned, header)
    np.testing.assert_array_equal(one.strains, other.strains)
    np.testing.assert_array_equal(one.forces, other.forces)


def test_several_geometries_are_told_apart_by_name(
    tmp_path: Path, measurement: Measurement, changed: Callable[..., Measurement]
) -> None:
    specimens = measurement.header.specimens
    geometries = (Geometry(), Geometry(name="arc", shape="arc", notch_length_mm=14))
    both = measurement.header.model_copy(
        update={"specimens": specimens.model_copy(update={"geometries": geometries})}
    )
    strains = measurement.strains.reshape(specimens.strain_shape)
    strains = np.concatenate((strains, 1.01 * strains), axis=1).ravel()
    forces = np.concatenate((measurement.forces, 1.01 * measurement.forces))
    path = tmp_path / "bench.csv"
    write_csv(path, changed(header=both, strains=strains, forces=forces))
    assert path.read_text().splitlines()[541].startswith("arc 0,1,1,")
    np.testing.assert_allclose(read_csv(path, both).strains, strains, atol=5.1e-7)
    path.write_text(path.read_text().replace("arc 45,", "45,"))
    with pytest.raises(UnusableMeasurement, match=r"specimen is 45; give its geometry's name.*arc"):
        read_csv(path, both)


def test_the_force_may_be_left_out(
    tmp_path: Path, header: MeasurementHeader, changed: Callable[..., Measurement]
) -> None:
    write_csv(tmp_path / "bench.csv", changed(forces=None))
    assert read_csv(tmp_path / "bench.csv", header).forces is None


def _replace(line: int, new: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[: line - 1], new, *lines[line:]]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: [], ["is empty", "specimen,patch,time,exx,eyy"]),
        (lambda lines: lines[:1], ["540 of 540 rows are missing"]),
        (
            lambda lines: lines[:7] + lines[8:],
            ["1 of 540 rows are missing", "specimen 0, patch 1, time 7", "every patch"],
        ),
        (
            lambda lines: [*lines, lines[4]],
            ["line 542 repeats specimen 0, patch 1, time 4 of line 5", "keep one"],
        ),
        (_replace(1, "specimen,patch,time,exx"), ["column 'eyy' is missing"]),
        (_replace(1, "specimen,patch,time,exx,eyy,kraft"), ["column 'kraft' is not known"]),
        (_replace(1, "specimen,patch,time,exx,eyy,exx"), ["'exx' appears 2 times"]),
        (_replace(2, "30,1,1,.004,-.002,5000"), ["line 2: specimen is 30", "0, 45, 90"]),
        (_replace(2, "0,0,1,.004,-.002,5000"), ["line 2: patch is 0", "from 1 to 18"]),
        (_replace(2, "0,1,1.5,.004,-.002,5000"), ["line 2: time is 1.5", "from 1 to 10"]),
        (_replace(2, "0,1,1,,-.002,5000"), ["line 2: exx is ''", "give a number"]),
        (_replace(2, "0,1,1,nan,-.002,5000"), ["line 2: exx is 'nan'", "fill the gap"]),
        (_replace(2, "0;1;1;0,004;-0,002;5000"), ["line 2: 3 cells under 6 columns", "point"]),
        (
            _replace(2, "0,1,1,.004,-.002,5000"),
            ["specimen 0 at time 1 is 5000 on line 2", "one force at a time"],
        ),
    ],
)
def test_rubbish_is_refused_by_line_value_and_remedy(
    csv_file: Path,
    header: MeasurementHeader,
    spoil: Callable[[list[str]], list[str]],
    words: list[str],
) -> None:
    csv_file.write_text("\n".join(spoil(csv_file.read_text().splitlines())))
    with pytest.raises(UnusableMeasurement) as refusal:
        read_csv(csv_file, header)
    for word in ["bench.csv: ", *words]:
        assert word in str(refusal.value)


def test_a_file_of_rubbish_is_summarised(csv_file: Path, header: MeasurementHeader) -> None:
    lines = csv_file.read_text().splitlines()
    csv_file.write_text("\n".join([lines[0], *("x,1,1,1,1,1" for _ in lines[1:])]))
    with pytest.raises(UnusableMeasurement) as refusal:
        read_csv(csv_file, header)
    assert len(str(refusal.value).splitlines()) == 21
    assert "and 520 more mistakes" in str(refusal.value)


def test_percent_is_recognised(
    tmp_path: Path, header: MeasurementHeader, changed: Callable[..., Measurement]
) -> None:
    plain = changed()
    write_csv(tmp_path / "bench.csv", changed(strains=100 * plain.strains))
    with pytest.raises(UnusableMeasurement, match="percent"):
        read_csv(tmp_path / "bench.csv", header)


def test_import_from_the_command_line(
    csv_file: Path,
    tmp_path: Path,
    measurement: Measurement,
    demo: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bench.h5"
    options = ["--campaign", str(demo), "--source", "test bench 3", "--strain-noise", "1e-3"]
    import_measurement.main([str(csv_file), str(out), *options])
    read = read_measurement(out)
    assert (read.header.source, read.header.noise.strain) == ("test bench 3", 1e-3)
    assert read.header.noise.force_relative == measurement.header.noise.force_relative
    assert "3 specimens, 18 patches, 10 times, with forces" in capsys.readouterr().out


def test_a_refused_import_writes_nothing(csv_file: Path, tmp_path: Path, demo: Path) -> None:
    csv_file.write_text(csv_file.read_text().replace("0,1,3,", "0,1,33,"))
    out = tmp_path / "bench.h5"
    with pytest.raises(SystemExit, match="time is 33"):
        import_measurement.main([str(csv_file), str(out), "--campaign", str(demo), "--source", "x"])
    assert not out.exists()


@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(";", ","), (";", "."), ("\t", ","), (",", ".")]
)
def test_csv_is_read_as_people_write_it(
    csv_file: Path, header: MeasurementHeader, delimiter: str, decimal: str
) -> None:
    plain = read_csv(csv_file, header)
    lines = [line.split(",") for line in csv_file.read_text().splitlines()]
    lines[0] = ['"specimen"', ' "patch"', ' "time"', ' "exx [1]"', ' "eyy"', ' "force [N]"']
    rows = [["" if i == 0 else str(i), *row] for i, row in enumerate(lines)]
    text = "\n".join(delimiter.join(row).replace(".", decimal) for row in rows)
    csv_file.write_bytes(text.encode("utf-8-sig"))
    np.testing.assert_array_equal(read_csv(csv_file, header).strains, plain.strains)


def test_a_lost_patch_is_missing(csv_file: Path, header: MeasurementHeader) -> None:
    lines = csv_file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], "nan", "nan", *cells[5:]])
    csv_file.write_text("\n".join(lines))
    assert int((~read_csv(csv_file, header).mask).sum()) == 2


def _rows(lines: list[str], delimiter: str = ",") -> str:
    return "\n".join(line.replace(",", delimiter) for line in lines)


@pytest.mark.parametrize(
    "written",
    [
        lambda lines: _rows(lines, " "),
        lambda lines: "sep=;\n" + _rows(lines, ";"),
        lambda lines: "# bench 2\n# operator X\n" + _rows(lines),
        lambda lines: "DP600, coil 17\n" + _rows(lines),
        lambda lines: _rows([line + "," for line in lines]),
        lambda lines: _rows([lines[0], *(line + ",," for line in lines[1:])]),
        lambda lines: _rows([*lines, ",,,,,", ""]),
        lambda lines: _rows([lines[0], "deg,-,-,1,1,N", *lines[1:]]),
        lambda lines: _rows([*lines[:50], "# pause", *lines[50:]]),
        lambda lines: "\n".join(f'"{line}"' for line in lines),
        lambda lines: _rows(lines).replace(",-", ",−"),
        lambda lines: _rows(lines).replace("\n0,", "\n-0°,"),
        lambda lines: _rows(lines).replace("\n", "\r"),
    ],
)
def test_what_programs_put_around_values_is_left_out(
    csv_file: Path, header: MeasurementHeader, written: Callable[[list[str]], str]
) -> None:
    plain = read_csv(csv_file, header)
    csv_file.write_text(written(csv_file.read_text().splitlines()), newline="")
    found = read_csv(csv_file, header)
    np.testing.assert_array_equal(found.strains, plain.strains)
    assert plain.forces is not None and found.forces is not None
    np.testing.assert_array_equal(found.forces, plain.forces)


def test_a_unit_under_the_names_counts(csv_file: Path, header: MeasurementHeader) -> None:
    plain = read_csv(csv_file, header)
    lines = [line.split(",") for line in csv_file.read_text().splitlines()]
    rows = [",".join([*row[:5], f"{float(row[5]) / 1000:.7f}"]) for row in lines[1:]]
    csv_file.write_text("\n".join([",".join(lines[0]), "deg,,,1,1,kN", *rows]))
    found = read_csv(csv_file, header)
    assert plain.forces is not None and found.forces is not None
    np.testing.assert_allclose(found.forces, plain.forces)


def test_grouped_digits_are_named(csv_file: Path, header: MeasurementHeader) -> None:
    lines = [line.split(",") for line in csv_file.read_text().splitlines()]
    rows = [";".join([*row[:5], f"{float(row[5]):,.1f}"]) for row in lines[1:]]
    csv_file.write_text("\n".join([";".join(lines[0]), *rows]))
    with pytest.raises(
        UnusableMeasurement, match="give a number without ',' between the thousands"
    ):
        read_csv(csv_file, header)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([3, 4], "0 and 45 have the same strains: they differ by"),
        ([5], "0 and 45 have the same for"),
    ],
)
def test_a_copy_of_another_specimen_is_refused_though_it_be_rounded(
    csv_file: Path, header: MeasurementHeader, columns: list[int], words: str
) -> None:
    lines = [line.split(",") for line in csv_file.read_text().splitlines()]
    zero = [row for row in lines if row[0] == "0"]
    for row, other in zip((row for row in lines if row[0] == "45"), zero, strict=True):
        for column in columns:
            row[column] = other[column][:-1] if column < 5 else other[column]
    csv_file.write_text("\n".join(",".join(row) for row in lines))
    with pytest.raises(UnusableMeasurement, match=words):
        read_csv(csv_file, header)
