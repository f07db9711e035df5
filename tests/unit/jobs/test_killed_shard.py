"""A shard survives SIGKILL at any moment: nothing lost, nothing twice, the same bytes."""

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import ShardFields, publish_model
from hpc_jobs.design.rounds import choose_round
from hpc_jobs.fem.native.build import build
from tests.unit.jobs import killable

ROOT = Path(__file__).parents[3]
KILLS = 20
RECORDS = 300
OVERRIDES = {
    "solver": "native",
    "specimens": {"angles_deg": [0, 45], "mesh": {"along": 16, "across": 8}},
    "design": {"train_records": 290, "test_records": 10, "records_per_shard": RECORDS},
}


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    build(environment=dict(os.environ))
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([killable.__name__])
    return server


@pytest.fixture(scope="module")
def designed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose points are chosen and whose shard is not yet solved."""
    root = tmp_path_factory.mktemp("designed")
    campaign = load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", OVERRIDES)
    frozen = FrozenCampaign(run_id="small", campaign=campaign, code_sha256="ab" * 32)
    publish_model(RunFolder(root).campaign, frozen)
    choose_round(RunFolder(root), campaign, 0, None)
    return root


@pytest.fixture(scope="module")
def undisturbed(context: ForkServerContext, designed: Path) -> RunFolder[Path]:
    return finish(context, copy(designed, designed.with_name("undisturbed")))


def copy(designed: Path, root: Path) -> RunFolder[Path]:
    shutil.copytree(designed, root)
    return RunFolder(root)


def start(context: ForkServerContext, run: RunFolder[Path]) -> BaseProcess:
    process = context.Process(target=killable.solve, args=(run.root, run.root / "log"))
    process.start()
    return process


def finish(context: ForkServerContext, run: RunFolder[Path]) -> RunFolder[Path]:
    process = start(context, run)
    process.join(120)
    assert process.exitcode == 0
    return run


def published_records(run: RunFolder[Path]) -> int:
    """Records that lie in parts, or in the shard, whoever wrote them."""
    if manifest_of(run.shard(0, 0)).exists():
        return RECORDS
    found = set[int]()
    for path in run.parts(0, 0).glob("part-*.npz"):
        with np.load(path) as part:
            found |= set(part["rows"].tolist())
    return len(found)


def attempts(run: RunFolder[Path]) -> Iterator[list[int]]:
    """Numbers of solved records that each attempt reported, in order."""
    counts: list[int] = []
    for line in (run.root / "log").read_text().splitlines():
        done = int(line.split()[0])
        if counts and done <= counts[-1]:
            yield counts
            counts = []
        counts.append(done)
    yield counts


def check(run: RunFolder[Path], undisturbed: RunFolder[Path]) -> None:
    """The same two files, byte for byte, and nothing else."""
    folder = run.shards(0)
    assert sorted(path.name for path in folder.iterdir()) == ["shard-00000.h5", "shard-00000.json"]
    for path in folder.iterdir():
        assert path.read_bytes() == (undisturbed.shards(0) / path.name).read_bytes()
    with h5py.File(run.shard(0, 0)) as file:
        assert np.array_equal(file[ShardFields.POINT][:], np.arange(RECORDS))


def test_killed_at_twenty_random_moments(
    tmp_path: Path, context: ForkServerContext, designed: Path, undisturbed: RunFolder[Path]
) -> None:
    chance, runs, kills, resumed = random.Random(20), list[RunFolder[Path]](), 0, 0
    begin = time.monotonic()
    finish(context, copy(designed, tmp_path / "timed"))
    duration = time.monotonic() - begin
    while kills < KILLS:
        if not runs or manifest_of(runs[-1].shard(0, 0)).exists():
            runs.append(copy(designed, tmp_path / str(len(runs))))
        run = runs[-1]
        kept = published_records(run)
        process = start(context, run)
        time.sleep(chance.uniform(0, 0.5 * duration))
        process.kill()
        process.join()
        kills += process.exitcode == -9
        resumed += kept > 0
        assert published_records(run) >= kept
    for run in runs:
        finish(context, run)
        check(run, undisturbed)
        solved = sum(counts[-1] - counts[0] for counts in attempts(run))
        lost = solved - RECORDS
        assert 0 <= lost < RECORDS  # solved, but not yet published when the process died
    assert resumed >= 3, "no attempt took over the records of an earlier one"


@pytest.mark.parametrize("renamed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ["part-0000000-*.npz", "part-0000[12]*.npz", "*.h5", "*.json"])
def test_killed_at_a_publication(
    tmp_path: Path,
    context: ForkServerContext,
    designed: Path,
    undisturbed: RunFolder[Path],
    name: str,
    renamed: bool,
) -> None:
    """Between a file and its rename, between the shard and its manifest, before the tidying."""
    run = copy(designed, tmp_path / "run")
    process = context.Process(
        target=killable.solve_until, args=(run.root, run.root / "log", name, renamed)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -9
    assert [path for path in run.shards(0).rglob("*") if path.name.startswith(".")]
    finish(context, run)
    check(run, undisturbed)


def test_real_jobs_killed_at_random_moments(
    tmp_path: Path, designed: Path, undisturbed: RunFolder[Path]
) -> None:
    run, chance = copy(designed, tmp_path / "run"), random.Random(3)
    command = [sys.executable, "-m", "hpc_jobs.jobs.solve_shard", str(run.root)]
    begin = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    duration = time.monotonic() - begin
    shutil.rmtree(run.rounds)
    for _ in range(3):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.3, 0.95) * duration)
            process.kill()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    check(run, undisturbed)
