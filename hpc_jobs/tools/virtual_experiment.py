"""Write the virtual experiments that a campaign is validated with; done once, and committed.

The campaign gives specimens, noise and whatever it fixes; of a family, exponent, Young's modulus
and hardening are the sheet's own. The mesh is finer than the campaign's.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.csv_format import write_csv
from hpc_jobs.measurement.file import write_measurement
from hpc_jobs.measurement.virtual_experiment import FINE, ImpossibleExperiment, virtual_experiment
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Test the alloys one after the other and write NAME.h5 or NAME.csv."""
    arguments = _arguments().parse_args(argv)
    try:
        campaign = load(Campaign, arguments.campaign)
        mesh = parse(Mesh, _given(arguments), source="--mesh")
        for alloy in arguments.alloys:
            name = arguments.name or alloy
            measurement = virtual_experiment(
                campaign, alloy, name, arguments.seed, mesh, nuisances=arguments.nuisances
            )
            path = arguments.folder / f"{name}.{'csv' if arguments.csv else 'h5'}"
            (write_csv if arguments.csv else write_measurement)(path, measurement)
            print(f"{path}: {measurement.header.source}", flush=True)
    except (ContractError, ImpossibleExperiment) as error:
        sys.exit(f"error: {error}")


def _given(arguments: argparse.Namespace) -> dict[str, float]:
    along, across = arguments.mesh
    return {"along": along, "across": across, "grading": FINE.grading}


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="yieldloop virtual-experiment",
        description=__doc__,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("alloys", nargs="+", choices=sorted(ALLOYS))
    parser.add_argument("--campaign", type=Path, required=True, help="its YAML file")
    parser.add_argument(
        "--mesh", type=int, nargs=2, metavar=("ALONG", "ACROSS"), default=(FINE.along, FINE.across)
    )
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--name", help="of the measurement, if not the alloy's")
    parser.add_argument(
        "--nuisances",
        action="store_true",
        help="specimens as far off the drawing as the campaign's section nuisance expects",
    )
    parser.add_argument("--csv", action="store_true", help="as a test bench would: no truth inside")
    return parser


if __name__ == "__main__":
    main()
