"""Say what a campaign will cost on a cluster, and what to ask its scheduler for.

    yieldloop plan dags/campaigns/hlrs.yaml --cluster dags/clusters/hawk.yaml [--rates RUN]

Core-hours, walltime by step, disk, memory, nodes, and the block `resources` for the campaign's
file. A box in which next to no sheet lies is refused. Rates are assumed, unless measured: --rates
names a run's folder on that cluster (the first shards of a campaign are enough) or a file that
--save wrote; --measure solves some records here. Rates saved beside the cluster's file as
hawk.rates.json are taken without asking, by the trigger form too. Nothing is submitted.
"""

import argparse
import importlib.util
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.costs import Costs, StepCosts, costs, duration
from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.execution import ResourceRequest
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.rates import (
    Rate,
    Rates,
    kept_rates,
    rates_of,
    read_rates_file,
    with_simulations,
)
from hpc_jobs.runtime.command_line import CommandLine

MEASURED_RECORDS, MEASURED_POINTS = 12, 500
FIRST_POINTS = 8
DRAWING = ("numpy", "scipy", "numba")  # what drawing points needs
WIDTH = 80
KEPT = ("walltime_s", "memory_mib", "cpus", "gpus", "nodes", "tasks_per_node")
OWN = ("partition", "account", "qos", "constraint", "reservation", "running_at_most", "exclusive")


def table(planned: Costs) -> str:
    """Lay the costs out, within 80 columns."""
    lines = [
        f"{planned.campaign}: {planned.records:,} records; rates: {planned.rates}",
        f"{'step':<17}{'elements':>9}{'each':>9}{'wall':>9}{'core-h':>10}{'GPU-h':>8}"
        f"{'MiB':>8}  {'time':<8}",
        *map(_row, planned.steps),
        f"{'sum':<17}{'':>9}{'':>9}{duration(planned.wall_s):>9}{planned.core_hours:>10,.2f}"
        f"{planned.gpu_hours:>8,.1f}",
        *_notes(planned),
    ]
    return "\n".join(lines)


def _row(step: StepCosts) -> str:
    return (
        f"{step.job:<17}{step.elements:>9,}{duration(step.element_s):>9}"
        f"{duration(step.wall_s):>9}{step.core_hours:>10,.2f}{step.gpu_hours:>8,.1f}"
        f"{step.memory_mib:>8,.0f}  {'measured' if step.measured else 'assumed':<8}"
    )


def _notes(planned: Costs) -> Iterator[str]:
    solving = next(step for step in planned.steps if step.job == "solve_shard")
    disk = ", ".join(f"{what} {gib:.3g}" for what, gib in planned.disk_gib.items())
    yield f"disk, GiB: {disk}"
    nodes = f", {planned.nodes:,} nodes" if planned.nodes else ""
    yield f"simulations: {solving.at_once:,} elements side by side{nodes}"
    if planned.waiting_s:
        yield f"and about {duration(planned.waiting_s)} of waiting in queues, one wait a step"
    known = [step.job for step in planned.steps if step.memory_measured]
    memory = f"memory measured of: {', '.join(known) or 'nothing'}; of the others worked out"
    yield from textwrap.wrap(memory, WIDTH, subsequent_indent="  ")
    for step in planned.steps:
        if step.shortage:
            yield from textwrap.wrap(
                f"TOO LITTLE in the campaign's file for {step.shortage}",
                WIDTH,
                subsequent_indent="  ",
            )


def block(planned: Costs) -> str:
    """Write the section execution.resources as YAML; keeps partitions and the like."""
    resources = {step.job: _asked(step.asked) for step in planned.steps}
    lines = yaml.safe_dump({"resources": resources}, sort_keys=False, default_flow_style=None)
    return "".join(f"  {line}\n" for line in lines.splitlines())


def _asked(asked: ResourceRequest) -> dict[str, object]:
    plain = ResourceRequest()
    always = ("walltime_s", "memory_mib")
    return {
        name: getattr(asked, name)
        for name in (*KEPT, *OWN)
        if name in always or getattr(asked, name) != getattr(plain, name)
    }


def read_rates(given: Path | None, cluster_files: Sequence[Path]) -> Rates:
    """Read rates from a run's folder or a file; else those beside a cluster's file; else assume.

    Raises ContractError.
    """
    if given is not None:
        return rates_of(RunFolder(given)) if given.is_dir() else read_rates_file(given)
    kept = (kept_rates(path) for path in cluster_files)
    return next((rates for rates in kept if rates), Rates())


def refuse_an_empty_box(campaign: Campaign) -> str:
    """Draw the campaign's first points; raises BadInput where next to none is a sheet.

    Returns a note where this machine cannot draw them, lacking the packages of a compute node.
    """
    lacking = [name for name in DRAWING if importlib.util.find_spec(name) is None]
    if lacking:
        return f"not looked at: whether sheets lie in design.box, without {', '.join(lacking)} here"
    from hpc_jobs.design.errors import EmptyBox
    from hpc_jobs.design.mechanical import draw
    from hpc_jobs.design.sobol import TEST, TRAIN

    for stream in (TRAIN, TEST):
        try:
            draw(campaign, stream, 0, FIRST_POINTS)
        except EmptyBox as error:
            raise BadInput(f"campaign '{campaign.name}': {error}") from error
    return ""


def measured_here(campaign: Campaign, rates: Rates, records: int = MEASURED_RECORDS) -> Rates:
    """Solve some records of the campaign on this machine, by processor time; raises BadInput."""
    import numpy as np

    from hpc_jobs.design.mechanical import draw
    from hpc_jobs.fem.backends import backend_of

    draw(campaign, 0, 0, 1)  # the first brings tables and libraries into memory
    begun = time.process_time()
    points, family = draw(campaign, 0, 0, MEASURED_POINTS), campaign.family
    point_s = (time.process_time() - begun) / MEASURED_POINTS
    _, backend = backend_of(campaign.solver)
    seconds = []
    rows = zip(points.parameters, points.sheet.tolist(), strict=True)
    for row, values in islice(rows, records + 1):
        material = family.material_of(values)
        specimens = family.specimens_of(values, campaign.specimens)
        begun = time.process_time()
        record = backend.simulate(row[list(campaign.columns)], material, specimens)
        if record.status == "ok":
            seconds.append(time.process_time() - begun)
    if len(seconds) < 2:
        raise BadInput(
            f"--measure: {len(seconds)} of {records + 1} records of campaign '{campaign.name}' "
            "could be solved; look into it with yieldloop design-report or one shard"
        )
    mean = float(np.mean(seconds[1:]))
    where = f"{len(seconds) - 1} records solved on this machine, {1e3 * mean:.3g} ms each"
    measured = with_simulations(rates, campaign, mean, where)
    return measured.model_copy(update={"point_s": Rate(value=point_s, measured=True)})


def main(argv: list[str] | None = None) -> None:
    """Print the costs, or say what is wrong."""
    options = arguments().parse_args(argv)
    try:
        campaign = load(Campaign, options.campaign)
        clusters = [load(Cluster, path) for path in options.cluster]
        cpu = _named(clusters, campaign.execution.cpu_cluster)
        gpu = _named(clusters, campaign.execution.gpu_cluster)
        _all_used(clusters, campaign)
        note = refuse_an_empty_box(campaign)
        rates = read_rates(options.rates, options.cluster)
        if options.measure:
            rates = measured_here(campaign, rates)
        if options.save:
            options.save.write_text(rates.model_dump_json(indent=1) + "\n")
        planned = costs(campaign, rates, cpu, gpu, options.cores)
    except (ContractError, OSError) as error:
        sys.exit(f"error: {error}")
    if note:
        print(note, file=sys.stderr)
    sys.stdout.write(f"{table(planned)}\n\nfor the section execution:\n{block(planned)}")


def _named(clusters: list[Cluster], name: str) -> Cluster | None:
    return next((cluster for cluster in clusters if cluster.name == name), None)


def _all_used(clusters: list[Cluster], campaign: Campaign) -> None:
    used = (campaign.execution.cpu_cluster, campaign.execution.gpu_cluster)
    for cluster in clusters:
        if cluster.name not in used:
            raise BadInput(
                f"--cluster {cluster.name}: campaign '{campaign.name}' runs on "
                f"{' and '.join(dict.fromkeys(used))}; name their files, or change execution"
            )


def arguments() -> argparse.ArgumentParser:
    """Campaign, clusters, rates."""
    parser = CommandLine(
        prog="yieldloop plan",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("campaign", type=Path, help="a campaign's YAML file")
    parser.add_argument(
        "--cluster", type=Path, action="append", default=[], metavar="FILE",
        help="a cluster's YAML file: queues and nodes; may be repeated",
    )  # fmt: skip
    parser.add_argument("--rates", type=Path, help="a run's folder, or a file that --save wrote")
    parser.add_argument("--measure", action="store_true", help="solve some records here, first")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the rates, as JSON")
    parser.add_argument("--cores", type=_cores, help="what the cluster grants at once")
    return parser


def _cores(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of cores; give 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
