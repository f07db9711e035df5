"""Say what a campaign's experiment will tell of its sheets, and what a better one would.

    python -m hpc_jobs.tools.design_report dags/campaigns/family.yaml [--sheets 12]
                                           [--known youngs_modulus_mpa=2000 ...]

Expected standard deviations of r-values, stress ratios, exponent and k(p): median of the
Cramer-Rao bound over some sheets of the campaign's box. Beside the campaign as it stands: without
what measurements are said to know, with one more geometry, more times, more travel, a better camera
or load cell. A thousand simulations on this machine, on the coarse mesh; nothing is written.
"""

import argparse
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hpc_jobs.contract.answers import label_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.loading import load
from hpc_jobs.fem.errors import SolverMissing
from hpc_jobs.identification.experiment import (
    changed,
    given_exactly,
    medians,
    sensitivities,
    without,
)
from hpc_jobs.runtime.command_line import CommandLine, refuse_twice

SHEETS = 12
WIDTH = 80  # of a terminal
CELL = 8
SHORT_NOTCH_MM = 12.0
STRIP_MM = 3.0  # that a straight strip is drawn


def variants(campaign: Campaign) -> dict[str, Mapping[str, object]]:
    """Other specimens that are worth a look, by what is different about them."""
    specimens = campaign.specimens
    geometries = [geometry.model_dump() for geometry in specimens.geometries]
    first = geometries[0] | {"end_displacement_mm": None}
    short = first | {"name": "short-notch", "notch_length_mm": SHORT_NOTCH_MM}
    strip = {
        "name": "straight-strip",
        "shape": "straight",
        "width_mm": first["notch_width_mm"],
        "length_mm": first["length_mm"],
        "thickness_mm": first["thickness_mm"],
        "end_displacement_mm": STRIP_MM,
    }
    found: dict[str, Mapping[str, object]] = {
        f"+ {SHORT_NOTCH_MM:g} mm notch": {"geometries": [*geometries, short]},
        "+ strip": {"geometries": [*geometries, strip]},
        "twice the times": {"output_times": 2 * specimens.output_times},
    }
    if specimens.timing:
        nearer = specimens.timing.model_copy(
            update={"peak_share": 1 - (1 - specimens.timing.peak_share) / 2}
        )
        found["more travel"] = {"timing": nearer.model_dump()}
    else:
        further = 1.15 * specimens.end_displacement_mm
        found["15 % more travel"] = {"end_displacement_mm": further}
    return found


def report(campaign: Campaign, sheets: int, known: Mapping[str, float]) -> str:
    """Work it out and lay it out as a table; raises BadInput."""
    told = given_exactly(campaign) | dict(known)
    here = sensitivities(campaign, sheets, same_times=True)
    columns = {"as it is": medians(here.deviations(told))}
    notes = [
        f"{len(here.u)} of {sheets} sheets of the box on mesh "
        f"'{here.campaign.specimens.mesh.level}'; "
        f"{1e3 * here.record_s:.0f} ms a record of {len(campaign.specimens.tests)} specimens here",
        *(f"left out: {reason}" for reason in here.left_out),
    ]
    for name in told:
        columns[f"{label_of(name)} unknown"] = medians(here.deviations(without(told, [name])))
    columns["half strain noise"] = medians(here.deviations(told, strain_noise=0.5))
    columns["half force noise"] = medians(here.deviations(told, force_noise=0.5))
    for name, other in variants(campaign).items():
        try:
            there = sensitivities(changed(campaign, other), sheets, same_times=True)
        except (ValidationError, BadInput) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            notes.append(f"{name}: not possible: {reason}")
            continue
        columns[name] = medians(there.deviations(told))
        cost = there.record_s / here.record_s
        lost = f", {len(there.left_out)} sheets left out" if there.left_out else ""
        notes.append(f"{name}: a record costs {cost:.1f} times as much{lost}")
        if "exponent" in told and "geometries" in other:
            unknown = there.deviations(without(told, ["exponent"]))
            columns[f"{name}, a unknown"] = medians(unknown)
    notes += _reminders(campaign)
    lines = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in notes]
    return "\n".join([*_tables(columns), *lines])


def _reminders(campaign: Campaign) -> list[str]:
    """Say what the figures leave out."""
    if not campaign.specimens.timing:
        return []
    return [
        "output times are held while a sheet is varied; where each sheet finds its own, the end of "
        "the test tells of k beyond the strains reached, too"
    ]


def _tables(columns: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lay out the quantities below each other, as many side by side as a terminal holds."""
    names = list(next(iter(columns.values())))
    width = max(map(len, columns))
    across = max(1, (WIDTH - width) // CELL)
    lines = []
    for first in range(0, len(names), across):
        shown = names[first : first + across]
        lines.append(" " * width + "".join(f"{_heading(name):>{CELL}}" for name in shown))
        for title, values in columns.items():
            cells = "".join(f"{_cell(name, values.get(name)):>{CELL}}" for name in shown)
            lines.append(f"{title:<{width}}{cells}")
        lines.append("")
    return lines


def _heading(name: str) -> str:
    if name.startswith("k("):
        return name.replace("0.", ".") + "%"
    return {"youngs_modulus_mpa": "E, MPa"}.get(name, label_of(name).replace(" ", ""))


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.startswith("k("):
        return f"{100 * value:.2f}"
    return f"{value:.0f}" if name == "youngs_modulus_mpa" else f"{value:.4f}"


def known_values(given: list[str], campaign: Campaign) -> dict[str, float]:
    """Read NAME=SD; raises BadInput for what is no coordinate or no number, or is there twice."""
    names, found = campaign.family.names, {}
    refuse_twice("--known", (one.partition("=")[0].strip() for one in given))
    for one in given:
        name, _, sd = one.partition("=")
        name = name.strip()
        try:
            found[name] = float(sd)
        except ValueError:
            raise BadInput(
                f"--known {one}: give NAME=SD, the standard deviation a number"
            ) from None
        if name not in names:
            raise BadInput(f"--known {one}: no coordinate of the campaign; choose from {names}")
        if not 0 <= found[name] < float("inf"):
            raise BadInput(f"--known {one}: a standard deviation is 0 or more")
    return found


def main(argv: list[str] | None = None) -> None:
    """Print the table, or say what is wrong with the campaign."""
    options = arguments().parse_args(argv)
    try:
        campaign = load(Campaign, options.campaign)
        if campaign.family.is_single_sheet:
            raise BadInput(
                f"{options.campaign}: all its sheets have one material and no nuisances; give "
                "ranges (docs/families.md), or a nuisance at least"
            )
        known = known_values(options.known, campaign)
        sys.stdout.write(report(campaign, options.sheets, known) + "\n")
    except (ContractError, SolverMissing) as error:
        sys.exit(f"error: {error}")


def arguments() -> argparse.ArgumentParser:
    """Campaign, sheets, and what measurements know."""
    parser = CommandLine(
        prog="yieldloop design-report",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("campaign", type=Path, help="a campaign's YAML file")
    parser.add_argument("--sheets", type=int, default=SHEETS, help="of the box; 12 by default")
    parser.add_argument(
        "--known", action="append", default=[], metavar="NAME=SD",
        help="coordinate that measurements know, with its standard deviation",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
