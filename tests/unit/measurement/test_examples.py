"""The examples of docs/measurement-format.md are descriptions that the import understands."""

import re
from pathlib import Path

import pytest
import yaml

from hpc_jobs.contract.loading import parse
from hpc_jobs.measurement.series import Series

PAGE = Path(__file__).parents[3] / "docs" / "measurement-format.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_description(text: str) -> None:
    document = {"source": "x", "specimens": {"0": {}}} | yaml.safe_load(text)
    document["defaults"] = {"frames": "*.csv"} | document["defaults"]
    series = parse(Series, document, "example")
    for label in series.specimens:
        assert series.files_of(label, "example").frames


def test_there_is_an_example_of_each_tool() -> None:
    page = "".join(EXAMPLES)
    tools = ("vic_3d", "vic_2d", "aramis", "matchid", "dice", "ncorr", "duodic", "columns")
    assert all(f"format: {tool}" in page for tool in tools)
