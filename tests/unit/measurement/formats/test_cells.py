import pytest

from hpc_jobs.measurement.formats.cells import is_grouped, number, parting


def test_a_number_is_what_benches_write() -> None:
    assert number("−0.5") == -0.5
    assert number("1,5D-3", ",") == 1.5e-3


@pytest.mark.parametrize("text", ["1_4545.6", "０.５", "1_0", "0x10", "1,2"])
def test_what_python_reads_and_no_bench_writes_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        number(text)


@pytest.mark.parametrize(
    ("text", "decimal", "grouped"),
    [
        ("1.234,5", ",", True),
        ("1.234,5", ".", False),
        ("1'234", ".", True),
        ("1,234", ".", True),  # if the table's decimal sign is a point
        ("1,234", ",", False),
        ("12 34", ".", False),
    ],
)
def test_digits_are_grouped_by_another_sign_than_the_decimal_one(
    text: str, decimal: str, grouped: bool
) -> None:
    assert is_grouped(text, decimal) is grouped


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("1,5;2,5", ";"),
        ("1,5\t1 234,5", "\t"),
        ("6 075, 76 491", ","),
        ("5481,0 411,16", " "),
        ("1,201", ""),
        ("1 201", ""),
        ("0 101,5", ""),
        ("Kraft;12", ""),
    ],
)
def test_what_alone_can_part_a_line(line: str, delimiter: str) -> None:
    assert parting(line) == delimiter
