"""Write the page of a measurement from a run's folder: no Airflow, no MLflow, one HTML file.

    yieldloop report RUN MEASUREMENT [--validation NAME] [--out PAGE.html] [--picture IMPORT.png]

RUN is the folder of a campaign's run in its workspace. The page holds the answer in one sentence,
verdict and suspects, fields against the re-simulation, r-values, yield locus and hardening with
their bands, and material cards. Nothing is simulated again.
"""

import argparse
import sys
from pathlib import Path

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.records import read_model
from hpc_jobs.measurement_page.page import publish_measurement_page
from hpc_jobs.measurement_page.sentence import answer, refusal
from hpc_jobs.runtime.answers import find_validation, read_asked
from hpc_jobs.runtime.command_line import CommandLine


def main(argv: list[str] | None = None) -> None:
    """Write the page; what cannot be ends with status 1, its cause and its remedy."""
    options = _arguments().parse_args(argv)
    try:
        print(written(options))
    except ContractError as error:
        sys.exit(f"error: {error}")


def written(options: argparse.Namespace) -> str:
    """Write the page; returns its sentence and where it is. Raises ContractError."""
    out = options.out or Path(f"{options.measurement}.html")
    if out.exists() and not options.force:
        raise BadInput(f"{out}: is there already; choose another --out, or say --force")
    if options.picture is not None and not options.picture.is_file():
        raise BadInput(f"{options.picture}: no such picture; it lies beside what import-dic wrote")
    run, validation = find_validation(options.run, options.validation)
    asked = read_asked(run, validation, options.measurement)
    if options.picture is not None:
        asked = asked.with_picture(options.picture)
    publish_measurement_page(out, read_model(FrozenCampaign, run.campaign).campaign, asked)
    said = (
        answer(asked.sheet, asked.case.judgement, asked.case.field.estimate.examination)
        if asked.sheet
        else refusal(options.measurement, asked.judgements)
    )
    return f"{said}\n{out}"


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="yieldloop report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="folder of a campaign's run")
    parser.add_argument("measurement", help="its name in the campaign")
    parser.add_argument("--validation", help="which one, if the run has several; else the latest")
    parser.add_argument("--out", type=Path, help="the page to write; else MEASUREMENT.html")
    parser.add_argument("--picture", type=Path, help="of the import, if the run has none")
    parser.add_argument("--force", action="store_true", help="replace a page that is there")
    return parser


if __name__ == "__main__":
    main()
