"""A campaign at full size through everything but the FEM: what grows with it, and what does not.

    python -m benchmarks.rehearsal [--records N --elements M] [--full] [--json FILE]
                                   [--only small large]

Needs root and a Slurm (tests/clusters/install.sh). Airflow, MLflow and a real Slurm are started;
then the DAG hybrid_campaign runs twice with `solver: rehearsal` (docs/planning-a-campaign.md): with
10,000 records in 10 elements, and with N records in M. What Airflow's database keeps of each is set
beside the other: it must not depend on the size. Then where the time went, task by task.

Each campaign is kept in the JSON file when it has ended, and not rehearsed again; --only one of
the two: they may go on different days.

--full: the production campaign's own 4.94 million records in 343 elements; 70 GiB of disk, hours.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.kept import Kept
from benchmarks.rehearsed.kept import RowsKept, kept_of
from benchmarks.rehearsed.stand import CAMPAIGN, CHECKOUT, campaign_document, stage
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.costs import disk_gib
from hpc_jobs.contract.loading import load, parse
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
    gate: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Rehearsed":
        """Read what `told` wrote."""
        parts = {"kept": RowsKept(**told["kept"]), "times": RunTimes.model_validate(told["times"])}
        return cls(**told | parts)

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"times": self.times.model_dump(mode="json")}


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
    return Rehearsed(
        records,
        elements,
        wall_s,
        kept_of(stack.layout.airflow_database, run.run_id),
        read_times(folder),
        run.result().gate.reason,
    )


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
            f"gate: {large.gate}",
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
    require_disk(records, elements, options.root)
    sizes = {"small": SMALL, "large": (records, elements)}
    found = Kept(options.json)
    for name in options.only or sizes:
        try:
            found.once(_name(*sizes[name]), partial(_alone, options.root, *sizes[name]))
        except CampaignFailed as error:
            sys.exit(f"rehearsal failed: {error}")
    both = [found.found.get(_name(*size)) for size in sizes.values()]
    if None not in both:
        small, large = (Rehearsed.of(one) for one in both if one)
        sys.stdout.write(comparison(small, large) + "\n")


def _name(records: int, elements: int) -> str:
    return f"{records} records in {elements} elements"


def _alone(where: Path, records: int, elements: int) -> dict[str, Any]:
    """Rehearse one campaign on a stage of its own, whose files stay if it fails."""
    root = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=where))
    try:
        with stage(root, HLRS) as stack, stack.api() as api:
            told = rehearse(stack, api, records, elements).told()
    except CampaignFailed as error:
        raise CampaignFailed(f"its files are kept in {root}: {error}") from error
    shutil.rmtree(root, ignore_errors=True)
    return told


def arguments() -> argparse.ArgumentParser:
    """Size and places."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--elements", type=int, default=40)
    parser.add_argument("--full", action="store_true", help="as many as the production campaign")
    parser.add_argument("--root", type=Path, default=Path("/tmp"), help="where its files may lie")
    parser.add_argument("--only", nargs="+", choices=("small", "large"))
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/rehearsal.json"))
    return parser


if __name__ == "__main__":
    main()
