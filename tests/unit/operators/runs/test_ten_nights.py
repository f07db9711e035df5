"""Ten nights in a row on real jobs: nothing is lost, nothing done twice, and each night says so."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.facts import DesignFacts, PackedFacts, ShardFacts
from hpc_jobs.contract.layout import RunFolder, Workspace, manifest_of
from hpc_jobs.contract.records import ShardFields, read_manifest, sha256_of
from hpc_jobs.contract.report import ArrayReport, NightReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.dataset.facts import DatasetFacts, dataset_facts
from operators.runs.night import log_night, night_report
from operators.runs.rounds import first_round, log_round, next_round
from tests.harness.control_bench import Bench
from tests.harness.reports import array_report

ROOT = Path(__file__).parents[4]
SHARD = 50
HOURS_A_RECORD = 0.001
BOUGHT = 100
"""Records that a night's budget buys: two shards."""
SMALL: dict[str, dict[str, Any]] = {
    "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 4, "end_displacement_mm": 0.8},
    "design": {"train_records": 200, "test_records": 50, "records_per_shard": SHARD},
    "training": {"networks": [{"kind": "mlp", "components": 8, "hidden": [16]}]},
    "execution": {"nightly_core_hours": BOUGHT * HOURS_A_RECORD},
}
KILLED, DOWN = 3, 6
"""The night that is killed after one shard, and the one that finds the cluster gone."""


class ClusterGone(Exception):
    """What a hook raises when nobody answers."""


def job(run: RunFolder[Path], name: str, *options: str, index: int = 0) -> None:
    environment = {**os.environ, "TASK_INDEX": str(index), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"hpc_jobs.jobs.{name}", str(run.root), *options]
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@dataclass
class Nights:
    """A run that is gone on with, night after night, as the DAG does."""

    bench: Bench
    handle: RunHandle
    folder: RunFolder[Path]
    solved: list[tuple[int, int]] = field(default_factory=list)  # that were not there before

    def plan(self, connect: Any = None) -> RoundPlan:
        return next_round(self.handle, self.bench.mlflow, connect or self.bench.connect)

    def night(self, planned: RoundPlan, killed_after: int | None = None) -> NightReport:
        """Choose, solve, pack, close; or be killed after so many shards."""
        number = planned.round
        job(self.folder, "choose_points", f"--round={number}", f"--records={planned.records}")
        design = DesignFacts.of(read_manifest(manifest_of(self.folder.design(number)), "design"))
        points = array_report("choose_points", design)
        before = len(self.solved)
        for index in range(design.shards if killed_after is None else killed_after):
            self.solve(number, index)
        if killed_after is not None:
            return self.closed(planned, points, None, None, ["simulate.solve_shards"])
        array = self.array(number, design.shards, len(self.solved) - before)
        log_round(self.handle, planned, array, self.bench.mlflow)
        job(self.folder, "publish_dataset")
        facts = self.dataset
        packed = PackedFacts(
            generation=facts.generation,
            train=facts.train,
            test=facts.test,
            by_status={"ok": facts.train + facts.test},
            missing_shards=0,
            sha256=sha256_of(self.folder.dataset_manifest),
        )
        return self.closed(planned, points, array, array_report("publish_dataset", packed), [])

    def solve(self, number: int, index: int) -> None:
        there = manifest_of(self.folder.shard(number, index)).exists()
        job(self.folder, "solve_shard", f"--round={number}", index=index)
        if not there:
            self.solved.append((number, index))

    def array(self, number: int, shards: int, new: int) -> ArrayReport:
        """Say what the array of a round cost: what was there already cost nothing."""
        found = [manifest_of(self.folder.shard(number, index)) for index in range(shards)]
        facts = [ShardFacts.of(read_manifest(path, "shard")) for path in found]
        ok = sum(one.by_status.get("ok", 0) for one in facts)
        total = sum(one.records for one in facts)
        all_of_it = ShardFacts(records=total, by_status={"ok": ok, "necked": total - ok})
        hours = HOURS_A_RECORD * SHARD * new
        return array_report("solve_shard", all_of_it, elements=shards, done=shards, cpu_hours=hours)

    def closed(self, planned: RoundPlan, *told: Any) -> NightReport:
        report = night_report(self.handle, planned, *told)
        log_night(report, self.handle, self.bench.mlflow)
        return report

    @property
    def dataset(self) -> DatasetFacts:
        return dataset_facts(read_manifest(self.folder.dataset_manifest, "dataset"))

    def shards(self) -> dict[str, str]:
        return {path.name + path.parent.parent.name: sha256_of(path)
                for path in self.folder.root.glob("rounds/*/shards/*.h5")}  # fmt: skip


@pytest.fixture
def nights(bench: Bench) -> Nights:
    """Open a small run, and solve the campaign's own round."""

    def small(document: dict[str, Any]) -> None:
        for part, changes in SMALL.items():
            document[part] = {**document[part], **changes}

    bench.edit("campaigns/demo.yaml", small)
    handle = bench.open()
    [folder] = bench.home.glob("workspaces/*/demo-1")
    run = Nights(bench, handle, Workspace(folder.parent).run(folder.name))
    run.night(first_round(handle, bench.connect))
    return run


def gone(cluster: str) -> Any:
    raise ClusterGone(cluster)


@pytest.mark.slow
def test_ten_nights_lose_nothing_and_do_nothing_twice(nights: Nights) -> None:
    told: dict[int, str] = {}
    for night in range(1, 11):
        before, records, kept = nights.shards(), nights.dataset.train, sha256_of(
            nights.folder.dataset_manifest
        )  # fmt: skip
        if night == DOWN:
            with pytest.raises(ClusterGone):
                nights.plan(gone)
            assert (nights.shards(), sha256_of(nights.folder.dataset_manifest)) == (before, kept)
            continue
        planned = nights.plan()
        assert planned.expected_core_hours is not None and planned.budget_core_hours is not None
        assert planned.expected_core_hours <= planned.budget_core_hours * 1.001
        assert planned.resumed == (night == KILLED + 1)
        report = nights.night(planned, killed_after=1 if night == KILLED else None)
        told[night] = report.sentence
        assert before.items() <= nights.shards().items()  # what was there is as it was
        if night == KILLED:
            assert not report.grown and sha256_of(nights.folder.dataset_manifest) == kept
        else:
            assert report.grown and nights.dataset.train > records
            assert report.core_hours <= planned.budget_core_hours * 1.001
    _nothing_twice(nights)
    assert "failed in simulate.solve_shards: dataset and champion are as they were" in told[KILLED]
    assert "left unfinished by an earlier night" in told[KILLED + 1]
    files = nights.bench.mlflow.client.list_artifacts(nights.handle.mlflow_run_id, "night")
    pages = {file.path for file in files if file.path.endswith(".html")}
    assert len(pages) == 1 + 8  # of the first round, and of each that a night began


def _nothing_twice(nights: Nights) -> None:
    """No shard was solved twice, no sheet stands twice in the dataset, and all good ones are."""
    assert len(nights.solved) == len(set(nights.solved)) == len(nights.shards())
    seen, good = set(), 0
    for path in nights.folder.root.glob("rounds/*/shards/*.h5"):
        with h5py.File(path) as file:
            rows = np.hstack([file[ShardFields.PARAMETERS][...], file[ShardFields.SHEET][...]])
            good += int((file[ShardFields.STATUS][...] == 0).sum())
        seen |= {row.tobytes() for row in rows}
    assert len(seen) == 250 + 8 * BOUGHT
    assert nights.dataset.train + nights.dataset.test == good
