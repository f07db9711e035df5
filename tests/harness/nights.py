"""A run that is gone on with night after night, as the DAGs do; the jobs do their own work."""

import argparse
import importlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.drift import DriftReport
from hpc_jobs.contract.facts import DesignFacts, ShardFacts
from hpc_jobs.contract.layout import RunFolder, Workspace, manifest_of
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.records import read_manifest, read_model, sha256_of
from hpc_jobs.contract.report import ArrayReport, GateReport, NightReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.validation import Estimates
from hpc_jobs.dataset.facts import DatasetFacts, dataset_facts
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.by_network import identify
from hpc_jobs.identification.engine import Engine
from hpc_jobs.identification.mesh_bias import mesh_bias_of
from hpc_jobs.identification.resimulated import resimulate
from hpc_jobs.identification.verdict import score, verdict
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.measurement.file import Measurement, read_for, write_measurement
from operators.promotion.drift import watch
from operators.promotion.registry import promote
from operators.promotion.rival import find_rival
from operators.runs.night import log_night, night_report
from operators.runs.rounds import log_round, next_round
from operators.runs.run import continue_run, open_run
from tests.harness.control_bench import Bench
from tests.harness.reports import array_report

ROOT = Path(__file__).parents[2]
SHARD = 50
HOURS_A_RECORD = 0.001
BOUGHT = 100
"""Records that a night's budget buys: two shards."""
COIL = "coil"
SMALL: dict[str, dict[str, Any]] = {
    "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 4, "end_displacement_mm": 0.8},
    "design": {"train_records": 200, "test_records": 50, "records_per_shard": SHARD},
    "training": {
        "networks": [{"kind": "mlp", "components": 16, "hidden": [64], "forces": True}],
        "epochs": 60,
    },
    "validation": {
        "measurements": [COIL], "mesh_refinement": 1, "refine": False, "outside": False,
        "updating": False,
    },
    # Nobody knows the coil's true sheet; and fifty test records say little of intervals
    "gate": {"require_validation": False, "coverage_shortfall": 0.5},
    "execution": {"nightly_core_hours": BOUGHT * HOURS_A_RECORD},
}  # fmt: skip
FIRST_MORNING = datetime(2026, 11, 1, 6, tzinfo=UTC)


def work(run: RunFolder[Path], name: str, *options: str, index: int = 0) -> Any:
    """Do one element's work in this process, as a cluster would; returns what it says of it."""
    job = importlib.import_module(f"hpc_jobs.jobs.{name}")
    parser = argparse.ArgumentParser()
    if hasattr(job, "arguments"):
        job.arguments(parser)
    from hpc_jobs.runtime.element import Element

    frozen = read_model(FrozenCampaign, run.campaign)
    return job.work(Element(index, run, parser.parse_args(options), frozen))


def process(run: RunFolder[Path], name: str, *options: str) -> None:
    """Run a job's one element as a process of its own."""
    environment = {**os.environ, "TASK_INDEX": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"hpc_jobs.jobs.{name}", str(run.root), *options]
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


def coil(campaign: Campaign, seed: int, moved: float = 0.0) -> Measurement:
    """Measure a sheet near the middle of the box; moved: its r-values, in spreads of the box."""
    engine = Engine(campaign, campaign.specimens, campaign.noise, keep=False)
    names = engine.natural.names
    u = np.where([name.startswith("r_value") for name in names], moved, 0.0)
    parameters, sheet = engine.sheet(u)
    values, specimens = sheet.tolist(), engine.timed(u)
    record = backend_of(campaign.solver)[1].simulate(
        parameters,
        campaign.family.material_of(values),
        campaign.family.specimens_of(values, specimens),
    )
    random, noise = np.random.default_rng(seed), campaign.noise
    relative = noise.force_relative * random.standard_normal(record.forces.shape)
    return Measurement(
        header=MeasurementHeader(
            name=COIL,
            source="a sheet that a test has made up",
            knowledge={
                one.name: (values[column], 0.0)
                for column, one in enumerate(campaign.family.coordinates)
                if one.role == "given"
            },
            specimens=specimens,
            noise=noise,
        ),
        strains=record.strains + noise.strain * random.standard_normal(record.strains.shape),
        forces=record.forces * (1 + relative),
    )


@dataclass
class Nights:
    """The run, and what was solved of it that was not there before."""

    bench: Bench
    handle: RunHandle
    folder: RunFolder[Path]
    solved: list[tuple[int, int]] = field(default_factory=list)
    mornings: int = 0

    @classmethod
    def opened(cls, bench: Bench, **changes: dict[str, Any]) -> "Nights":
        """Open a small run of a campaign that no other test has; nothing is solved yet.

        changes: to parts of the campaign beyond what makes it small.
        """
        name = f"nights{abs(hash(str(bench.home))) % 10**9}"
        source, own = (bench.dags / f"campaigns/{one}.yaml" for one in ("demo", name))
        own.write_text(source.read_text())

        def made_small(document: dict[str, Any]) -> None:
            document["name"] = name
            for part in SMALL.keys() | changes.keys():
                small = {**SMALL.get(part, {}), **changes.get(part, {})}
                document[part] = {**document.get(part, {}), **small}

        bench.edit(f"campaigns/{name}.yaml", made_small)
        (bench.dags / f"measurements/{COIL}.h5").write_bytes(b"not measured yet")
        return cls._of(bench, name, f"{name}-1")

    @classmethod
    def _of(cls, bench: Bench, name: str, run_id: str, overrides: Any = None) -> "Nights":
        handle = open_run(
            name, overrides, run_id=run_id, connect=bench.connect, mlflow=bench.mlflow
        )
        [folder] = bench.home.glob(f"workspaces/*/{run_id}")
        return cls(bench, handle, Workspace(folder.parent).run(folder.name))

    def another(self, run_id: str, overrides: dict[str, Any]) -> "Nights":
        """Open a further run of the same campaign, with what a trigger form may change."""
        return self._of(self.bench, self.handle.campaign, run_id, overrides)

    @property
    def campaign(self) -> Campaign:
        return read_model(FrozenCampaign, self.folder.campaign).campaign

    @property
    def dataset(self) -> DatasetFacts:
        return dataset_facts(read_manifest(self.folder.dataset_manifest, "dataset"))

    def plan(
        self, connect: Any = None, aims: Literal["campaign", "drift"] = "campaign"
    ) -> RoundPlan:
        return next_round(self.handle, self.bench.mlflow, connect or self.bench.connect, aims)

    def night(self, planned: RoundPlan, killed_after: int | None = None) -> NightReport:
        """Choose, solve, pack, close; or be killed after so many shards."""
        number = str(planned.round)
        design: DesignFacts = work(
            self.folder, "choose_points", "--round", number,
            "--records", str(planned.records), "--aims", planned.aims,
        )  # fmt: skip
        points = array_report("choose_points", design)
        before = len(self.solved)
        for index in range(design.shards if killed_after is None else killed_after):
            self.solve(planned.round, index)
        if killed_after is not None:
            return self.closed(planned, points, None, None, ["simulate.solve_shards"])
        array = self.array(planned.round, design.shards, len(self.solved) - before)
        log_round(self.handle, planned, array, self.bench.mlflow)
        packed = array_report("publish_dataset", work(self.folder, "publish_dataset"))
        return self.closed(planned, points, array, packed, [])

    def solve(self, number: int, index: int) -> None:
        there = manifest_of(self.folder.shard(number, index)).exists()
        work(self.folder, "solve_shard", "--round", str(number), index=index)
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

    def shards(self) -> dict[str, str]:
        return {path.name + path.parent.parent.name: sha256_of(path)
                for path in self.folder.root.glob("rounds/*/shards/*.h5")}  # fmt: skip

    def retrained(self, training: str) -> GateReport:
        """Train, identify what is measured, compare with the champion, let the gate decide."""
        model = f"{training}-mlp"
        process(self.folder, "train", "--name", training)
        work(self.folder, "identify", "--model", model, "--validation", training)
        work(self.folder, "resimulate", "--validation", training)
        work(self.folder, "score", "--validation", training)
        rival = find_rival(self.handle, connect=self.bench.connect, mlflow=self.bench.mlflow)
        work(
            self.folder, "compare", "--model", model, "--validation", training,
            "--champion-run", rival.run_id, "--champion", rival.model,
            "--champion-sha256", rival.sha256,
        )  # fmt: skip
        return promote(
            self.handle, model, training, connect=self.bench.connect, mlflow=self.bench.mlflow
        )

    def measured_before(self, measured: Measurement) -> None:
        """Put a measurement where it was staged long ago."""
        write_measurement(self.folder.measurement(COIL), measured)

    def deliver(self, content: Measurement | bytes) -> None:
        """Put a measurement into the dags folder, and go on with the run, which stages it."""
        path = self.bench.dags / f"measurements/{COIL}.h5"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_measurement(path, content)
        continue_run(self.handle, connect=self.bench.connect, mlflow=self.bench.mlflow)

    def morning(self, model: str) -> DriftReport:
        """Validate the champion with what was measured, and watch production.

        As the jobs identify, resimulate and score do, but for their pages.
        """
        self.mornings += 1
        campaign, bias = self.campaign, mesh_bias_of(self.campaign)
        measured = read_for(campaign, self.folder.measurement(COIL))
        network = load_model(self.folder.model(model))
        answers = identify(campaign, network, [measured], bias)
        fields = resimulate(campaign, answers[0], bias, measured.header.specimens)
        estimates = Estimates(
            validation=f"morning-{self.mornings}",
            model=model,
            model_sha256=network.sha256,
            estimates=answers,
        )
        judged = verdict(campaign, estimates, [score(campaign, measured, fields)])
        day = FIRST_MORNING + timedelta(days=self.mornings)
        return watch(self.handle.campaign, judged, self.bench.mlflow, day)
