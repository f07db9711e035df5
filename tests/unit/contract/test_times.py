"""Where the time went: phases that add up, and a table of jobs as their folders tell it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.phases import Phases, Stopwatch, process_began
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.contract.times import read_times, table

BEGAN = 1_790_000_000.0


def test_a_phase_within_a_phase_counts_once() -> None:
    watch = Stopwatch()
    begun = time.monotonic()
    with watch.spending("import"):
        sum(range(200_000))
        with watch.spending("compile"):
            sum(range(200_000))
        assert watch.current == "import"
    whole = time.monotonic() - begun
    assert set(watch.seconds) == {"import", "compile"}
    assert 0 < sum(watch.seconds.values()) <= whole
    assert watch.current is None


def test_a_process_knows_when_it_began() -> None:
    assert 0 <= time.time() - process_began() < 10 * 86400


def test_the_phases_of_a_job_add_up_to_its_life() -> None:
    code = (
        "import hpc_jobs.jobs, time; import numba\n"
        "from hpc_jobs.contract.phases import phases_so_far as say; print(say().model_dump_json())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"HPC_TOKEN": "one"},
    )
    assert done.returncode == 0, done.stderr
    found = Phases.model_validate_json(done.stdout)
    assert found.start_s > 0 and found.import_s > 0
    assert found.import_s > found.work_s  # it did nothing else
    assert BEGAN < found.begun < time.time()


def job(run: RunFolder[Path], token: str, task: str, submitted: float, ends: list[float]) -> None:
    """Leave what a job of two seconds of starting and the rest of work leaves, by element."""
    folder = run.job(token)
    folder.results.mkdir(parents=True)
    folder.intent.write_text(json.dumps({"task_id": task}))
    folder.submission(0).write_text(json.dumps({"submitted": BEGAN + submitted}))
    folder.finished.write_text(json.dumps({"finished": BEGAN + max(ends) + 4}))
    for index, end in enumerate(ends):
        begun = submitted + 1
        result = ElementResult(
            element=index,
            outcome="done",
            job_id="1",
            host="n1",
            started=BEGAN + begun + 2,
            wall_s=end - begun - 2,
            cpu_s=1,
            phases=Phases(
                begun=BEGAN + begun,
                start_s=0.5,
                import_s=1.5,
                compile_s=0.25,
                work_s=end - begun - 2.25,
            ),
        )
        folder.result(index).write_text(result.model_dump_json())


@pytest.fixture
def run(tmp_path: Path) -> RunFolder[Path]:
    found: RunFolder[Path] = RunFolder(tmp_path)
    found.campaign.write_text("{}")
    os.utime(found.campaign, (BEGAN, BEGAN))
    return found


def test_the_table_adds_up(run: RunFolder[Path]) -> None:
    job(run, "a", "simulate.choose_points", 10, [30])
    job(run, "b", "simulate.solve_shards", 40, [60, 80, 70])
    times = read_times(run)
    first, second = times.tasks
    assert (first.task, first.at, first.queue) == ("simulate.choose_points", 10, 1)
    assert (first.ran, first.seen) == (pytest.approx(19), pytest.approx(4))
    assert second.elements == 3
    assert second.start == 1.5 and second.importing == 4.5 and second.compiling == 0.75
    assert second.working == pytest.approx(3 * (70 - 41) - 6.75)
    assert times.whole == pytest.approx(84)
    assert times.between == pytest.approx(10 + 6)
    text = table(times)
    assert "solve_shards x3" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_folder_that_tells_nothing_is_refused(run: RunFolder[Path], tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="no job has ended yet"):
        read_times(run)
    with pytest.raises(CorruptFile, match="not the folder of a run"):
        read_times(RunFolder(tmp_path / "elsewhere"))
    job(run, "a", "simulate.choose_points", 10, [30])
    run.job("a").finished.write_text("[]")
    with pytest.raises(CorruptFile, match="not a job's folder of this version"):
        read_times(run)
