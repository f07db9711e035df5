"""Turn a measurement in CSV into the file that an inverse validation reads.

The campaign says which specimens, patches, times and hardening the measurement belongs to. The
columns are described in docs/measurement-format.md.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.measurement.csv_format import read_csv
from hpc_jobs.measurement.file import refuse_to_overwrite, write_measurement
from hpc_jobs.measurement.knowledge import known_of_sheet, not_told
from hpc_jobs.runtime.command_line import CommandLine, refuse_twice


def main(argv: list[str] | None = None) -> None:
    """Check the CSV, write the measurement; a mistake ends with status 1 and its remedy."""
    arguments = _arguments().parse_args(argv)
    try:
        print(import_csv(arguments))
    except ContractError as error:
        sys.exit(f"error: {error}")


def import_csv(arguments: argparse.Namespace) -> str:
    """Write arguments.out; returns one line that says what it holds."""
    refuse_to_overwrite(arguments.out, arguments.csv, force=arguments.force)
    refuse_twice("--known", (name for name, _ in arguments.known))
    campaign = load(Campaign, arguments.campaign)
    noise = campaign.noise.model_copy(update=_given(arguments))
    header = parse(
        MeasurementHeader,
        {
            "name": arguments.out.stem,
            "source": arguments.source,
            "material": campaign.sheet.fixed and campaign.sheet.fixed.model_dump(),
            "knowledge": known_of_sheet(dict(arguments.known), campaign, "--known"),
            "specimens": campaign.specimens.model_dump(),
            "noise": noise.model_dump(),
        },
        source=arguments.out.name,
    )
    for note in not_told(header.knowledge, campaign):
        print(note, file=sys.stderr)
    measurement = read_csv(arguments.csv, header)
    write_measurement(arguments.out, measurement)
    forces = "with forces" if measurement.forces is not None else "without forces"
    return (
        f"{arguments.out}: {len(campaign.specimens.tests)} specimens, "
        f"{campaign.specimens.patches.count} patches, {campaign.specimens.output_times} times, "
        f"{forces}; name '{header.name}' in validation.measurements of the campaign"
    )


def _given(arguments: argparse.Namespace) -> dict[str, float]:
    given = {"strain": arguments.strain_noise, "force_relative": arguments.force_noise}
    return {name: value for name, value in given.items() if value is not None}


def _known(text: str) -> tuple[str, Known]:
    """Read NAME=VALUE or NAME=VALUE+-SD."""
    name, _, given = text.partition("=")
    value, _, deviation = given.partition("+-")
    try:
        return name.strip(), (float(value), float(deviation or 0))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' tells no value; write youngs_modulus_mpa=206000 or 'NAME=206000 +- 3000'"
        ) from None


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(prog="yieldloop import-measurement", description=__doc__)
    parser.add_argument("csv", type=Path, help="specimen,patch,time,exx,eyy[,force]")
    parser.add_argument("out", type=Path, help="the file to write, NAME.h5")
    parser.add_argument("--campaign", type=Path, required=True, help="its YAML file")
    parser.add_argument("--source", required=True, help="who measured what, when and how")
    parser.add_argument(
        "--strain-noise", type=float, metavar="SD", help="of one patch value; default: campaign's"
    )
    parser.add_argument(
        "--force-noise", type=float, metavar="SD", help="relative; default: campaign's"
    )
    parser.add_argument(
        "--known",
        action="append",
        default=[],
        type=_known,
        metavar="NAME=VALUE[+-SD]",
        help="of a family's sheet, such as 'youngs_modulus_mpa=206000 +- 3000'; one each",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


if __name__ == "__main__":
    main()
