from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.machine import MachineColumns, read_machine
from hpc_jobs.measurement.formats.table import read_columns
from hpc_jobs.measurement.formats.text import layout_of

ROWS = ((0.0, 1.5, -2.25), (0.1, 1.6, -2.5), (0.2, 1.75, -3.0))


def _text(delimiter: str, decimal: str, head: str = "", units: str = "") -> str:
    lines = [f"{row[0]}{delimiter}{row[1]}{delimiter}{row[2]}" for row in ROWS]
    body = "\n".join(line.replace(".", decimal) for line in lines)
    names = delimiter.join(("Zeit", "Kraft", "Weg"))
    return f"{head}{names}\n{units}{body}\n"


@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ","), ("  ", ".")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiter_decimal_sign_and_encoding_are_found(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str
) -> None:
    path = tmp_path / "table.txt"
    head = f"Prüfer{delimiter}x\n" if encoding == "cp1252" else ""
    path.write_bytes(_text(delimiter, decimal, head).encode(encoding))
    layout = layout_of(path)
    assert [column.name for column in layout.columns] == ["Zeit", "Kraft", "Weg"]
    np.testing.assert_allclose(read_columns(path, layout, [0, 1, 2]), ROWS)


@pytest.mark.parametrize(
    ("header", "name", "unit", "remark"),
    [
        (' "X",  "exx",  "sigma"', "exx", "", ""),
        ('"X [mm]", "exx [1] - Lagrange", "sigma"', "exx", "1", "Lagrange"),
        ("# x_undef [mm], epsx [%], epsxy [1]", "epsx", "%", ""),
        (",exx,eyy", "exx", "", ""),
    ],
)
def test_names_units_and_remarks_are_taken_apart(
    tmp_path: Path, header: str, name: str, unit: str, remark: str
) -> None:
    path = tmp_path / "frame.csv"
    path.write_text(f"{header}\n1,2.5,3\n2,3.5,4\n")
    column = layout_of(path).columns[1]
    assert (column.name, column.unit, column.remark) == (name, unit, remark)


def test_lost_points_are_rows_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "stage.csv"
    path.write_text("id;x [mm];y [mm];u [mm]\n1;-8,5;2,5;nan\n2;-8,25;2,5;0,125\n")
    table = read_columns(path, layout_of(path), [1, 3])
    np.testing.assert_allclose(table, [[-8.5, np.nan], [-8.25, 0.125]])


def test_what_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "frame.csv"
    path.write_text("x,exx\n1,2.5\n2,1_4545.6\n3,4\n")
    with pytest.raises(BadInput, match=r"frame\.csv: line 3: exx is '1_4545\.6'; give a number"):
        read_columns(path, layout_of(path), [0, 1])


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"nothing but text\n" * 5, "no rows of at least two numbers")],
)
def test_a_file_without_a_table_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        layout_of(tmp_path / "x.csv")
    with pytest.raises(BadInput, match="a folder, not a file"):
        layout_of(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        layout_of(tmp_path / "absent.csv")


def test_a_zwick_file_has_its_channels_in_newtons_and_seconds(tmp_path: Path) -> None:
    path = tmp_path / "zwick.tra"
    path.write_bytes(
        '"Probenbreite b0"\t10,5\t"mm"\n"Prüfzeit"\t"Standardweg"\t"Standardkraft"\t"Dehnung"\n'
        '"s"\t"mm"\t"kN"\t"%"\n0,5\t0,1\t1,25\t0,5\n1\t0,2\t2,5\t1\n'.encode("cp1252")
    )
    machine = read_machine(path)
    np.testing.assert_allclose(machine.channels["force"], [1250, 2500])
    np.testing.assert_allclose(machine.channels["strain"], [0.005, 0.01])
    np.testing.assert_allclose(machine.channels["time"], [0.5, 1])
    assert machine.head["Probenbreite b0"] == (10.5, "mm")


def test_a_set_value_is_not_the_force_and_dead_channels_are_none(tmp_path: Path) -> None:
    path = tmp_path / "mts.txt"
    path.write_text(
        "Laufzeit\tCh 1 Kraft Sollwert\tCh 1 Kraft\tCh 1 Weg\n"
        "s\tkN\tkN\tmm\n0,5\t9\t1,5\t0\n1,0\t9\t2,5\t0\n\nDatenerfassung\n1,5\t9\t3,5\t0\n"
    )
    machine = read_machine(path)
    np.testing.assert_allclose(machine.channels["force"], [1500, 2500, 3500])
    assert "travel" not in machine.channels
    assert "Ch 1 Kraft Sollwert" in machine.unknown
    with pytest.raises(BadInput, match="'Ch 1 Weg' is 0 in all rows"):
        machine.need("travel")


MTS = "MTS793|MPT|DEU|x|x|,|.|:|49|1|1|A\n\nLaufzeit\tCh 1 Kraft\tCh 1 Weg\ns\tkN\tmm\n"
INSTRON = "Time\tLoad\tExtension\ns\tkN\tmm\n"
MACHINE_ROWS = "0,5\t1,5\t0,1\n1,0\t2,5\t0,2\n1,5\t3,5\t0,3\n"


@pytest.mark.parametrize(("head", "format"), [(MTS, "mts"), (INSTRON, "instron")])
def test_a_named_maker_reads_its_own_files(tmp_path: Path, head: str, format: str) -> None:
    path = tmp_path / "machine.txt"
    path.write_text(head + MACHINE_ROWS)
    machine = read_machine(path, format=format)
    np.testing.assert_allclose(machine.channels["force"], [1500, 2500, 3500])
    np.testing.assert_allclose(machine.channels["travel"], [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("head", "format", "words"),
    [
        (MTS, "zwick", "machine.format is zwick, but the head of the file is of mts; write mts"),
        (INSTRON, "zwick", "is zwick, whose files have a column of force by another name; it has"),
        (INSTRON.replace("Load", "Standardkraft"), "mts", "is mts, .* column of force .* auto"),
    ],
)
def test_a_file_of_another_maker_than_named_is_refused(
    tmp_path: Path, head: str, format: str, words: str
) -> None:
    path = tmp_path / "machine.txt"
    path.write_text(head + MACHINE_ROWS)
    with pytest.raises(BadInput, match=words):
        read_machine(path, format=format)
    assert read_machine(path).channels["force"][0] == 1500


def test_a_voltage_asks_what_a_volt_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("Count, Time_0_0, Dev1/ai0\n0, 0, 0.5\n1, 95.5, 1.5\n")
    with pytest.raises(BadInput, match="newtons_per_volt"):
        read_machine(path)
    given = MachineColumns(force="Dev1/ai0", time="Time_0_0", force_unit="V", newtons_per_volt=1000)
    np.testing.assert_allclose(read_machine(path, given).channels["force"], [500, 1500])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "1.250,5",
            r"line 7: Kraft is '1.250,5'; give a number without '\.' between the thousands",
        ),
        ("1_250,5", r"line 7: Kraft is '1_250,5'; give a number, or"),
        ("OVER", r"line 7: Kraft is 'OVER'; give a number, or leave the line out"),
    ],
)
def test_a_force_that_is_no_number_is_named_not_dropped(
    tmp_path: Path, cell: str, words: str
) -> None:
    path = tmp_path / "machine.txt"
    rows = [f"{0.1 * i:.1f}\t{10 * i}\t{0.01 * i:.2f}".replace(".", ",") for i in range(40)]
    rows[4] = rows[4].replace("\t40\t", f"\t{cell}\t")
    path.write_text("Zeit\tKraft\tWeg\ns\tN\tmm\n" + "\n".join(rows))
    with pytest.raises(BadInput, match=words):
        read_machine(path)


def test_rows_without_a_value_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "machine.txt"
    rows = [f"{i}\t{10 * i + 1}\t{i}" for i in range(40)]
    rows[5], rows[6] = "5\t1.#QNAN\t5", "6\t\t6"
    path.write_text("Time\tLoad\tExtension\n(s)\t(N)\t(mm)\n" + "\n".join(rows))
    machine = read_machine(path)
    assert len(machine.channels["force"]) == 38
    assert any(note.startswith("2 rows lack") for note in machine.notes)


def test_a_remark_amid_a_table_does_not_behead_it(tmp_path: Path) -> None:
    path = tmp_path / "machine.txt"
    rows = [f"{i}\t{10 * i + 1}\t{i}" for i in range(60)]
    rows[8:8] = ["Pause", "# hold"]
    path.write_text("Time\tLoad\tExtension\n(s)\t(N)\t(mm)\n" + "\n".join(rows))
    machine = read_machine(path)
    np.testing.assert_array_equal(machine.channels["time"], np.arange(60))


def test_a_channel_that_nobody_connected_is_named(tmp_path: Path) -> None:
    path = tmp_path / "machine.txt"
    rows = "\n".join(f"{i}\t0\t{i}" for i in range(40))
    path.write_text("Zeit\tKraft\tWeg\ns\tN\tmm\n" + rows)
    with pytest.raises(BadInput, match="'Kraft' is 0 in all rows"):
        read_machine(path).need("time", "force")


def test_units_under_names_that_have_them_are_no_row(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("x [mm],y [mm],exx [1]\nmm,mm,1\n0,1,2\n3,4,5\n")
    layout = layout_of(path)
    np.testing.assert_array_equal(read_columns(path, layout, [0, 2]), [[0, 2], [3, 5]])


def test_lines_of_other_lengths_are_not_dropped_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"{i},{i},{i}" for i in range(100)]
    path.write_text("x,y,z\n" + "\n".join([*rows, "1,2"]))
    assert len(read_columns(path, layout_of(path), [0])) == 100, "a last line that was cut off"
    rows[50:60] = [f"{row},7" for row in rows[50:60]]
    path.write_text("x,y,z\n" + "\n".join(rows))
    with pytest.raises(BadInput, match="10 lines have other than 3 cells, such as '50,50,50,7'"):
        read_columns(path, layout_of(path), [0])


ORDINARY = {
    "seconds and force": ("t,F", "{i},{i}01.5", ",", "."),
    "counts alone": ("n,a,b", "{i},201,1", ",", "."),
    "three digits each": ("a,b,c", "101,201,3{i}1", ",", "."),
    "parted by blanks": ("t F", "{i} 101", " ", "."),
    "parted by blanks, with decimal commas": ("t F", "{i} 101,5", " ", ","),
    "decimal commas in all columns": ("t F", "10,{i} 101,250", " ", ","),
    "two columns with decimal commas": ("t;F", "{i},5;1{i},250", ";", ","),
    "a comma and a blank": ("t, F", "{i}, 101", ",", "."),
}


@pytest.mark.parametrize("case", ORDINARY)
def test_numbers_of_three_digits_are_not_taken_for_groups(tmp_path: Path, case: str) -> None:
    names, row, delimiter, decimal = ORDINARY[case]
    path = tmp_path / "log.csv"
    path.write_text("\n".join([names, *(row.format(i=i) for i in range(1, 10))]))
    layout = layout_of(path)
    assert (layout.delimiter, layout.decimal) == (delimiter, decimal)
    written = [row.format(i=i).split(delimiter) for i in range(1, 10)]
    expected = [[float(cell.replace(decimal, ".")) for cell in cells] for cells in written]
    columns = range(len(layout.columns))
    np.testing.assert_array_equal(read_columns(path, layout, columns), expected)


def test_a_machine_that_logs_every_second_is_read(tmp_path: Path) -> None:
    path = tmp_path / "machine.csv"
    rows = [f"{i},{100 + 101 * i},0" for i in range(20)]
    path.write_text("Time,Load,Extension\n" + "\n".join(rows))
    machine = read_machine(path)
    np.testing.assert_array_equal(machine.channels["time"], np.arange(20))
    np.testing.assert_array_equal(machine.channels["force"], 100 + 101 * np.arange(20))


@pytest.mark.parametrize(
    ("names", "row", "cell", "sign"),
    [
        ("t;F", "{i};1.234,5", "1.234,5", "."),
        ("t;F", "{i},5;1 234,5", "1 234,5", " "),
        ("t\tF", "0,{i}\t1 234,5", "1 234,5", " "),
        ("t;F", "{i};1\u00a0234,5", "1\u00a0234,5", "\u00a0"),
        ("t\tF", "0.{i}\t1,234.5", "1,234.5", ","),
        ("t,F", '{i},"1,234.5"', "1,234.5", ","),
        ("t, F", "{i}, 1'234.5", "1'234.5", "'"),
        ("t F", "{i} 1 234,5", "1 234,5", " "),
        ("t F", "0.{i} 1,234.5", "1,234.5", ","),
        ("a;b", "1.234.567;1.234.56{i}", "1.234.567", "."),
        ("a\tb", "417,68{i}\t2,654.5", "2,654.5", ","),
    ],
)
def test_grouped_digits_are_refused_whatever_parts_the_columns(
    tmp_path: Path, names: str, row: str, cell: str, sign: str
) -> None:
    path = tmp_path / "table.txt"
    path.write_text("\n".join([names, *(row.format(i=i) for i in range(1, 10))]))
    with pytest.raises(BadInput) as refused:
        layout_of(path)
    told = f"'{cell}' has its digits grouped; export numbers without '{sign}' between"
    assert told in str(refused.value)
