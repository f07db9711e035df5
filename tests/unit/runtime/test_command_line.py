"""An option that is given twice is refused, however it is spelled; lists and switches are not."""

import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.runtime.command_line import CommandLine, refuse_twice


def tool() -> CommandLine:
    parser = CommandLine(prog="tool")
    parser.add_argument("file")
    parser.add_argument("-o", "--out", default="here")
    parser.add_argument("--mesh", type=int, nargs=2)
    parser.add_argument("--known", action="append", default=[])
    parser.add_argument("--force", action="store_true")
    return parser


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "a", "--out", "b"], "--out: given twice, as a and b; keep one of both"),
        (["--out=here", "-o", "b"], "--out: given twice, as here and b; keep one of both"),
        (["--mesh", "4", "2", "--mesh", "8", "4"], "--mesh: given twice, as 4 2 and 8 4"),
    ],
)
def test_an_option_given_twice_is_refused_with_both_values(options, words, capsys):
    with pytest.raises(SystemExit) as ended:
        tool().parse_args(["file", *options])
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_what_may_be_repeated_is_and_each_line_is_read_anew():
    parser = tool()
    line = ["file", "--out", "a", "--known", "E=1", "--known", "M=2", "--force", "--force"]
    for _ in range(2):
        found = parser.parse_args(line)
        assert vars(found) == {
            "file": "file", "out": "a", "mesh": None, "known": ["E=1", "M=2"], "force": True,
        }  # fmt: skip


def test_a_name_told_twice_is_refused():
    refuse_twice("--known", ["E", "M"])
    with pytest.raises(BadInput, match="--known: E is given twice; keep one value of each"):
        refuse_twice("--known", ["E", "M", "E"])
