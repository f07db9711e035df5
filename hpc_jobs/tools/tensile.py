"""Evaluate a tensile test: E, Rp0.2, Rm, Ag, r, the true curve, and fits of all hardening laws.

    python -m hpc_jobs.tools.tensile FILE [--out NAME.yaml] [--picture NAME.png]

FILE is the text of a testing machine (Zwick, Instron, MTS) or columns of stress and strain; the
width, thickness and gauge length are those of its head, or given. NAME.yaml holds the hardening
curve in the form of a campaign's `material.hardening`.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from matplotlib.figure import Figure

from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.contract.material import Hardening
from hpc_jobs.contract.records import publish
from hpc_jobs.figure_style import EDGE, FAINT, INK, in_style, publish_page, specimen_colour, title
from hpc_jobs.measurement.formats.machine import MachineColumns
from hpc_jobs.measurement.hardening_fits import LawFit, fit_laws, stress_of
from hpc_jobs.measurement.tensile import TensileResult, read_tensile
from hpc_jobs.measurement.tensile_channels import STRESS_UNITS, Sizes
from hpc_jobs.runtime.command_line import CommandLine

FEWEST = 20  # points of the plastic part that laws are fitted to
SMALLEST = 0.005  # plastic strain that they reach
LONGEST = 60  # characters of a law's numbers on a line


def main(argv: list[str] | None = None) -> None:
    """Evaluate; a file that cannot be ends with status 1, its cause and its remedy."""
    options = _arguments().parse_args(argv)
    try:
        print(evaluated(options))
    except ContractError as error:
        sys.exit(f"error: {error}")


def evaluated(options: argparse.Namespace) -> str:
    """Evaluate a file and write what was asked for; returns the report."""
    for path in (options.out, options.picture):
        if path is not None and path.exists() and not options.force:
            raise BadInput(f"{path}: is there already; choose another name, or say --force")
    columns = None
    if options.force_column is not None:
        columns = MachineColumns(
            force=options.force_column, strain=options.strain_column, sign=options.sign
        )
    result = read_tensile(
        options.file,
        kind="true" if options.true else "engineering",
        sizes=Sizes(width_mm=options.width, thickness_mm=options.thickness, gauge_mm=options.gauge),
        stress_unit=options.stress_unit,
        strain_percent=True if options.percent else None,
        columns=columns,
    )
    plastic = result.plastic_strain
    enough = len(plastic) >= FEWEST and plastic[-1] >= SMALLEST
    fits = fit_laws(result.plastic_strain, result.true_stress) if enough else []
    if options.out is not None:
        _write_law(options.out, options.file, result, fits, options.law)
    if options.picture is not None:
        _draw(options.picture, options.file.name, result, fits)
    return report(options.file.name, result, fits)


def report(name: str, result: TensileResult, fits: list[LawFit]) -> str:
    """Write what a person reads: a line per quantity, per law, and per doubt."""
    modulus, r_value = result.youngs_modulus_mpa, result.r_value
    rows = [
        ("E", None if modulus is None else f"{modulus / 1000:.4g} GPa"),
        ("Rp0.2", _mpa(result.proof_stress_mpa)),
        ("Rm", _mpa(result.tensile_strength_mpa)),
        ("Ag", None if result.uniform_strain is None else f"{100 * result.uniform_strain:.3g} %"),
        ("r", None if r_value is None else f"{r_value[0]:.3f} +- {r_value[1]:.3f}"),
    ]
    lines = [f"{name}: {len(result.strain)} rows"]
    lines += [f"  {quantity:<6} {value or 'not told'}" for quantity, value in rows]
    if fits:
        reached, sd = result.plastic_strain[-1], np.median(result.stress_sd / result.true_stress)
        lines.append(
            f"  true curve up to a plastic strain of {reached:.3g}, +- {100 * sd:.2g} %; laws by "
            "their residual:"
        )
        lines += [
            f"    {fit.law.law:<14} rms {fit.rms_mpa:8.3g} MPa, largest {fit.largest_mpa:8.3g} MPa"
            f"  {_numbers(fit.law)}"
            for fit in fits
        ]
    return "\n".join([*lines, *(f"  {note}" for note in result.notes)])


def _mpa(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g} MPa"


def _numbers(law: Hardening) -> str:
    text = ", ".join(
        f"{name} {value:.4g}"
        for name, value in law.model_dump().items()
        if isinstance(value, float)
    )
    return text if len(text) <= 2 * LONGEST else text[: 2 * LONGEST] + "..."


def _write_law(
    path: Path, source: Path, result: TensileResult, fits: list[LawFit], wanted: str | None
) -> None:
    """Write the best law, or the one that was asked for, as a campaign has it."""
    if not fits:
        raise BadInput(
            f"{source}: {len(result.plastic_strain)} rows beyond first yield, up to a plastic "
            f"strain of {result.plastic_strain[-1]:.2g}: no hardening curve"
        )
    laws = {fit.law.law: fit for fit in fits}
    if wanted is not None and wanted not in laws:
        raise BadInput(f"law {wanted} does not fit this curve; there are {', '.join(laws)}")
    analytic = [fit for fit in fits if fit.law.law != "tabulated"]
    fit = laws[wanted] if wanted else (analytic or fits)[0]
    material: dict[str, Any] = {"hardening": _plain(fit.law.model_dump())}
    if result.youngs_modulus_mpa is not None:
        material["youngs_modulus_mpa"] = round(result.youngs_modulus_mpa, -2)
    head = (
        f"# of {source.name}, up to a plastic strain of {result.plastic_strain[-1]:.3g}; rms "
        f"{fit.rms_mpa:.3g} MPa\n"
    )
    with publish(path) as temporary:
        temporary.write_text(head + yaml.safe_dump({"material": material}, sort_keys=False))


def _plain(value: Any) -> Any:
    """Make lists of tuples, and keep six digits of numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _draw(path: Path, name: str, result: TensileResult, fits: list[LawFit]) -> None:
    with in_style():
        figure = Figure(figsize=(14, 4.4), layout="constrained")
        figure.suptitle(name, x=0.01, ha="left", size=13, weight="bold", color=INK)
        left, middle, right = figure.subplots(1, 3)
        left.plot(100 * result.strain, result.stress, color=INK, lw=1)
        line = np.array([0, 1.2 * (result.proof_stress_mpa or result.stress.max())])
        left.plot(100 * (line / result.slope_mpa + 0.002), line, color=EDGE, lw=1, ls="--")
        left.set(xlabel="engineering strain, %", ylabel="engineering stress, MPa")
        title(left, "As measured")
        middle.plot(result.plastic_strain, result.true_stress, ".", color=FAINT, ms=2)
        right.axhline(0, color=EDGE, lw=0.8)
        for i, fit in enumerate(fits):
            fitted = stress_of(fit.law, result.plastic_strain)
            middle.plot(result.plastic_strain, fitted, color=specimen_colour(i), lw=1,
                        label=f"{fit.law.law}, {fit.rms_mpa:.2g} MPa")  # fmt: skip
            right.plot(result.plastic_strain, fitted - result.true_stress, lw=1,
                       color=specimen_colour(i))  # fmt: skip
        middle.set(xlabel="plastic strain", ylabel="true stress, MPa")
        right.set(xlabel="plastic strain", ylabel="law less curve, MPa")
        if fits:
            middle.legend(loc="lower right")
        title(middle, "True curve and laws")
        title(right, "Residuals")
        publish_page(path, figure)


def _arguments() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="python -m hpc_jobs.tools.tensile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="text file of the test")
    parser.add_argument("--true", action="store_true", help="stress and strain are true ones")
    parser.add_argument("--percent", action="store_true", help="strain is in percent")
    parser.add_argument("--stress-unit", choices=list(STRESS_UNITS), help="if the head has none")
    parser.add_argument("--width", type=float, metavar="MM", help="of the straight part")
    parser.add_argument("--thickness", type=float, metavar="MM")
    parser.add_argument("--gauge", type=float, metavar="MM", help="length that elongations are of")
    parser.add_argument("--force-column", help="its name, if it is not recognised")
    parser.add_argument("--strain-column", help="its name, if it is not recognised")
    parser.add_argument("--sign", type=int, choices=[1, -1], default=1, help="of tension")
    parser.add_argument("--law", help="the law to write; default: the best but the table")
    parser.add_argument("--out", type=Path, help="write the hardening curve, YAML")
    parser.add_argument("--picture", type=Path, help="write the picture, PNG")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    return parser


if __name__ == "__main__":
    main()
