"""Say where a run's time went: waiting, starting, importing, compiling, working, by task.

    yieldloop times RUN_FOLDER

Read where the run's folder lies, in the workspace on the cluster; nothing is written.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.times import read_times, table
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Print the table, or say why there is none."""
    options = arguments().parse_args(argv)
    try:
        sys.stdout.write(table(read_times(RunFolder(options.run))) + "\n")
    except ContractError as error:
        sys.exit(f"error: {error}")


def arguments() -> argparse.ArgumentParser:
    """Which run."""
    parser = CommandLine(
        prog="yieldloop times",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="a run's folder in the workspace")
    return parser


if __name__ == "__main__":
    main()
