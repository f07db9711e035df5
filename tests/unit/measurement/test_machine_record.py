"""Camera times from a log, a row per frame."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.machine_record import machine_record
from hpc_jobs.measurement.series import CameraClock, Machine, SpecimenFiles

FRAMES = 12


def _frame_times(folder: Path, changes: dict[int, str]) -> np.ndarray:
    """Read the camera's log, in which some times are others."""
    rows = [f"{i},{changes.get(i, f'{0.5 * i:.1f}')}" for i in range(FRAMES)]
    (folder / "log.csv").write_text("Count,Time_0\n" + "\n".join(rows))
    machine = "\n".join(f"{0.1 * i:.1f},{100 + i}" for i in range(80))
    (folder / "machine.csv").write_text("Time,Load\n" + machine)
    files = SpecimenFiles(
        frames="image-*.csv",
        camera=CameraClock(log="log.csv"),
        machine=Machine(file="machine.csv"),
    )
    record = machine_record(files, folder, SimpleNamespace(names=("f",) * FRAMES))
    assert record is not None
    return record.frame_s


def test_a_log_says_when_each_frame_was_taken(tmp_path: Path) -> None:
    np.testing.assert_allclose(_frame_times(tmp_path, {}), 0.5 * np.arange(FRAMES))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({9: "2_0"}, r"log\.csv: line 11: Time_0 is '2_0'; give a number, or export the log"),
        ({9: "OVER"}, r"11 rows for 12 frames; give a row per frame"),
        ({9: "nan"}, r"row 10 of the table says no Time_0; give a row per frame"),
    ],
)
def test_a_time_that_is_none_is_named(tmp_path: Path, changes: dict[int, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _frame_times(tmp_path, changes)
