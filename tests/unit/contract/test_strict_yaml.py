"""Nothing that a person wrote in YAML is dropped, or read as another number, in silence."""

from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.strict_yaml import read_yaml
from hpc_jobs.measurement.series import load_series


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nsize: 2\nseed: 3", "line 3: 'seed' is given twice, first in line 1; keep one"),
        ("a:\n  b: 1\n  'b': 2", "line 3: 'b' is given twice, first in line 2"),
        ("a: {x: 1, x: 1}", "line 1: 'x' is given twice"),
        ("- {x: 1}\n- {y: 1, z: 2, y: 1}", "line 2: 'y' is given twice"),
        ("angle: 045", "line 1: 045 would be read as 37; write the number in plain digits"),
        ("start: 1:30", "line 1: 1:30 would be read as 90"),
        ("force: 1_4545.6", "line 1: 1_4545.6 would be read as 14545.6"),
    ],
)
def test_what_has_two_meanings_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_yaml(text)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a: 0.5\nb: 0\nc: 10_000\nd: '045'", {"a": 0.5, "b": 0, "c": 10_000, "d": "045"}),
        ("base: &b {x: 1}\nover: {<<: *b, x: 2}", {"base": {"x": 1}, "over": {"x": 2}}),
        ("- {x: 1}\n- {x: 2}", [{"x": 1}, {"x": 2}]),
    ],
)
def test_what_has_one_meaning_is_read(text: str, meant: object) -> None:
    assert read_yaml(text) == meant


def test_every_door_refuses_a_key_that_is_given_twice(
    tmp_path: Path, campaigns: Path, clusters: Path
) -> None:
    doors = {
        "single_sheet.yaml": (campaigns / "single_sheet.yaml", "name", Campaign),
        "cpu.yaml": (clusters / "cpu.yaml", "python", Cluster),
    }
    for name, (file, key, model) in doors.items():
        path = tmp_path / name
        path.write_text(f"{file.read_text()}\n{key}: again\n")
        with pytest.raises(ConfigurationError, match=rf"{name}: line \d+: '{key}' is given twice"):
            load(model, path)
    series = tmp_path / "series.yaml"
    series.write_text("source: x\nspecimens: {'0': {}}\nsource: y\n")
    with pytest.raises(ConfigurationError, match=r"series.yaml: line 3: 'source' is given twice"):
        load_series(series)
