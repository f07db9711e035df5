"""Write a trained network as ONNX and as a torch.export program, beside it.

    yieldloop export models/<name>

Both take raw measurements and answer physical targets. `predict` uses the ONNX file, once verified,
instead of exporting anew. For other programs it is the safe one: torch.export.load may run code
that a file holds, so load a .pt2 only after comparing its sha256 with exported/manifest.json.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.learning.models.exported import publish_exported
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Export, or say what is wrong with the model."""
    parser = CommandLine(
        prog="yieldloop export", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the trained network")
    options = parser.parse_args(argv)
    try:
        files = publish_exported(options.model, load_model(options.model))
    except ContractError as error:
        sys.exit(f"error: {error}")
    for file in files:
        print(f"{file}  {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
