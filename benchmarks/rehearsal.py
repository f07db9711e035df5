"""A campaign at full size through everything but the FEM: what grows with it, and what does not.

    python -m benchmarks.rehearsal [--records N --elements M] [--full] [--json FILE]

Needs root and a Slurm (tests/clusters/install.sh). Airflow, MLflow and a real Slurm are started;
then the DAG hybrid_campaign runs twice with `solver: rehearsal` (docs/planning-a-campaign.md): with
10,000 records in 10 elements, and with N records in M. What Airflow's database keeps of each is set
beside the other: it must not depend on the size. Then where the time went, task by task.

--full: the production campaign's own 4.94 million records in 343 elements; 70 GiB of disk, hours.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.rehearsed.kept import RowsKept, kept_of
from benchmarks.rehearsed.stand import CAMPAIGN, CHECKOUT, campaign_document, stage
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.costs import disk_gib
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.report import CampaignReport
from hpc_jobs.contract.times import RunTimes, read_times, table
from quickstart.campaign.command import conf
from quickstart.campaign.follow import follow
from quickstart.campaign.run import CampaignFailed, CampaignRun, form_fields
from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.supervisor import Stack
from tests.clusters import services

HLRS = CHECKOUT / "dags" / "campaigns" / "hlrs.yaml"
SMALL = (10_000, 10)
TEST_SHARE = 0.02
SAME_BYTES = 4096
"""What two sizes may differ in, in Airflow's database: numbers with more digits."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One campaign that was rehearsed."""

    records: int
    elements: int
    wall_s: float  # from trigger to report
    kept: RowsKept
    times: RunTimes
    report: CampaignReport


def settings(records: int, elements: int) -> list[str]:
    """Return what makes a campaign of so many records in so many elements."""
    test = max(300, round(TEST_SHARE * records))
    shard = -(-records // elements)
    return [
        f"train_records={records - test}",
        f"test_records={test}",
        f"design.records_per_shard={shard}",
    ]


def rehearse(stack: Stack, api: AirflowApi, records: int, elements: int) -> Rehearsed:
    """Run one campaign to its end; raises CampaignFailed."""
    console = Console(width=80, stderr=True)
    began = time.monotonic()
    chosen = conf(CAMPAIGN, settings(records, elements), form_fields(api))
    run = CampaignRun.trigger(api, chosen)
    state = follow(run, console)
    wall_s = time.monotonic() - began
    if state.state != "success":
        raise CampaignFailed(run.failures(state))
    folder = run.folder()
    if folder is None:
        raise CampaignFailed("the run's folder cannot be seen from here")
    kept = kept_of(stack.layout.airflow_database, run.run_id)
    return Rehearsed(records, elements, wall_s, kept, read_times(folder), run.result())


def comparison(small: Rehearsed, large: Rehearsed) -> str:
    """Set two campaigns side by side, and say whether what Airflow keeps is the same."""
    head = f"{'Airflow keeps of a campaign':<32}{small.records:>14,}{large.records:>14,} records"
    rows = [("elements of its array", small.elements, large.elements)]
    rows += [
        (what, getattr(small.kept, name), getattr(large.kept, name))
        for what, name in (
            ("rows", "rows"),
            ("bytes of them", "bytes"),
            ("XComs", "xcoms"),
            ("bytes of them", "xcom_bytes"),
        )
    ]
    rows.append(("seconds from trigger to report", round(small.wall_s), round(large.wall_s)))
    lines = [head, *(f"{what:<32}{one:>14,}{other:>14,}" for what, one, other in rows)]
    grown = large.kept.bytes - small.kept.bytes
    grown_xcom = large.kept.xcom_bytes - small.kept.xcom_bytes
    met = max(abs(grown), abs(grown_xcom)) <= SAME_BYTES
    return "\n".join(
        [
            *lines,
            f"difference {grown:+,} bytes, of XComs {grown_xcom:+,} (goal: {SAME_BYTES:,} at "
            f"most): {'met' if met else 'NOT MET'}",
            f"gate: {large.report.gate.reason}",
            "",
            f"{large.records:,} records in {large.elements} elements:",
            table(large.times),
            f"slowest: {_slowest(large.times)}",
        ]
    )


def _slowest(times: RunTimes, most: int = 3) -> str:
    ordered = sorted(times.tasks, key=lambda task: task.at - task.over)[:most]
    return ", ".join(
        f"{task.task.rpartition('.')[2]} {task.over - task.at:.0f} s" for task in ordered
    )


def require_disk(records: int, elements: int, root: Path) -> None:
    """Exit where the files would not fit."""
    campaign = load(Campaign, HLRS)
    test = max(300, round(TEST_SHARE * records))
    design = campaign.design.model_copy(
        update={"train_records": records - test, "test_records": test}
    )
    needed = sum(disk_gib(campaign.model_copy(update={"design": design})).values())
    free = shutil.disk_usage(root).free / 2**30
    if 1.2 * needed > free:
        sys.exit(
            f"error: {records:,} records take about {needed:.0f} GiB in {root}, where {free:.0f} "
            "GiB are free; give fewer --records, or a --root with more room"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Rehearse twice and compare."""
    options = arguments().parse_args(argv)
    production = load(Campaign, HLRS)
    records, elements = options.records, options.elements
    if options.full:
        records, elements = production.design.records, production.design.shards()
    if not 0 < elements <= records or records < SMALL[0]:
        sys.exit(f"error: give at least {SMALL[0]:,} records, in 1 to as many elements")
    parse(Campaign, campaign_document(HLRS), source="rehearsal.yaml")
    try:
        services.require()
    except OSError as error:
        sys.exit(f"error: {error}")
    root = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=options.root))
    require_disk(records, elements, root)
    try:
        with stage(root, HLRS) as stack, stack.api() as api:
            small = rehearse(stack, api, *SMALL)
            large = rehearse(stack, api, records, elements)
    except CampaignFailed as error:
        sys.exit(f"rehearsal failed; its files are kept in {root}: {error}")
    shutil.rmtree(root, ignore_errors=True)
    sys.stdout.write(comparison(small, large) + "\n")
    if options.json:
        found = [
            {
                "records": one.records,
                "elements": one.elements,
                "wall_s": one.wall_s,
                "kept": asdict(one.kept),
                "times": one.times.model_dump(),
            }
            for one in (small, large)
        ]
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def arguments() -> argparse.ArgumentParser:
    """Size and places."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--elements", type=int, default=40)
    parser.add_argument("--full", action="store_true", help="as many as the production campaign")
    parser.add_argument("--root", type=Path, default=Path("/tmp"), help="where its files may lie")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main()
