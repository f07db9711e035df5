"""Bring a test series from a camera and a machine into a measurement.

    yieldloop import-dic --table FILES or FOLDERS...
    yieldloop import-dic SERIES.yaml OUT.h5 --campaign CAMPAIGN.yaml

The first says what single exported files hold: points, lost ones, strain measure and scatter.

SERIES.yaml describes the files of each specimen; docs/measurement-format.md has one for each tool.
Strains are taken from displacements, patch by patch, at the displacements that the campaign
simulates. OUT.h5 is the measurement, OUT.png its picture. With --dry-run nothing but the picture is
written, with --write-csv the patches as CSV too.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.loading import load
from hpc_jobs.fem.errors import SolverMissing
from hpc_jobs.measurement.csv_format import write_csv
from hpc_jobs.measurement.file import refuse_to_overwrite, write_measurement
from hpc_jobs.measurement.formats.fields import natural
from hpc_jobs.measurement.importer import import_series
from hpc_jobs.measurement.measured import Measurement, UnusableMeasurement
from hpc_jobs.measurement.overview import as_table, held_by
from hpc_jobs.measurement.picture import publish_picture
from hpc_jobs.measurement.plausible import physical_mistakes
from hpc_jobs.measurement.series import load_series
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Import; a mistake ends with status 1, its cause and its remedy."""
    options = _parsed(argv)
    try:
        print(
            as_table(held_by(path) for path in _files(options.table))
            if options.table
            else import_dic(options)
        )
    except (ContractError, SolverMissing) as error:
        sys.exit(f"error: {error}")


def _files(paths: list[Path]) -> list[Path]:
    """Files as named; of a folder all that lie in it, in their natural order."""
    found = list[Path]()
    for path in paths:
        if path.is_dir():
            inside = sorted((one for one in path.iterdir() if one.is_file()), key=natural)
            if not inside:
                raise BadInput(f"{path}: a folder without files")
            found += inside
        else:
            found.append(path)
    return found


def import_dic(options: argparse.Namespace) -> str:
    """Write what was asked for; returns what was found, a sentence a line."""
    out: Path = options.out
    table = out.with_suffix(".csv")
    refuse_to_overwrite(out, options.series, force=options.force or options.dry_run)
    if options.write_csv and table.exists() and not options.force:
        raise UnusableMeasurement(table.name, [f"is in {table.parent} already; say --force"])
    campaign = load(Campaign, options.campaign)
    series = load_series(options.series)
    folder = options.series.parent
    with _progress() as progress:
        tasks = {
            test.label: progress.add_task(f"specimen {test.label}", total=None)
            for test in campaign.specimens.tests
        }
        measurement, imported = import_series(
            series,
            out.stem,
            options.series.name,
            folder,
            campaign,
            lambda label, done, of: progress.update(tasks[label], completed=done, total=of),
        )
    picture = out.with_suffix(".png")
    publish_picture(picture, measurement.name, imported, campaign.specimens.patches)
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(
            measurement.name, [*mistakes, f"nothing but {picture} was written: look at it"]
        )
    lines = list(measurement.header.notes)
    if options.write_csv and not options.dry_run:
        write_csv(table, measurement)
    if options.dry_run:
        return "\n".join([*lines, f"{picture}: look at it; nothing else was written (--dry-run)"])
    write_measurement(out, measurement)
    return "\n".join([*lines, _summary(out, measurement)])


def _summary(out: Path, measurement: Measurement) -> str:
    specimens, noise = measurement.header.specimens, measurement.header.noise
    missing = int((~measurement.mask).sum()) // 2
    forces = "with forces" if measurement.forces is not None else "without forces"
    return (
        f"{out}: {len(specimens.tests)} specimens, {specimens.patches.count} patches, "
        f"{specimens.output_times} times, {missing} values missing, {forces}; noise "
        f"{noise.strain:.1e} of strains, {noise.force_relative:.1e} of forces. Look at "
        f"{out.with_suffix('.png').name}, then name '{measurement.name}' in validation.measurements"
    )


def _progress() -> Progress:
    """Return a bar per specimen, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = _arguments()
    options = parser.parse_args(argv)
    wanted = {"SERIES": options.series, "OUT": options.out, "--campaign": options.campaign}
    if options.table:
        if any(wanted.values()):
            parser.error("--table stands alone: it reads files, and writes nothing")
        return options
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        parser.error(f"{', '.join(missing)} missing; or name files after --table")
    return options


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="yieldloop import-dic",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("series", type=Path, nargs="?", help="description of the test series, YAML")
    parser.add_argument("out", type=Path, nargs="?", help="the measurement to write, NAME.h5")
    parser.add_argument("--campaign", type=Path, help="its YAML file")
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="FILE", help="say what these files hold, no more"
    )
    parser.add_argument("--dry-run", action="store_true", help="draw the picture only")
    parser.add_argument("--write-csv", action="store_true", help="write the patches as NAME.csv")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    return parser


if __name__ == "__main__":
    main()
