"""Say what a shard holds and whether it is what was published; draw it.

A file that is truncated, altered, foreign or vouched for by no manifest ends with status 1 and
the reason.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.fem.records.shard_file import read_shard
from hpc_jobs.fem.records.shard_summary import summarise
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Print the summary, draw the figure if one is asked for."""
    arguments = _arguments().parse_args(argv)
    try:
        shard = read_shard(arguments.file)
    except ContractError as error:
        sys.exit(f"error: {error}")
    print(summarise(shard))
    if arguments.figure:
        from hpc_jobs.fem.records.shard_figure import draw_shard

        draw_shard(arguments.figure, shard)
        print(f"\nfigure      {arguments.figure}")
    if shard.doubt:
        sys.exit(f"error: {shard.doubt}")


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(prog="yieldloop inspect-shard", description=__doc__)
    parser.add_argument("file", type=Path, help="rounds/NNN/shards/shard-IIIII.h5")
    parser.add_argument("--figure", type=Path, metavar="OUT.png", help="draw it, too")
    return parser


if __name__ == "__main__":
    main()
