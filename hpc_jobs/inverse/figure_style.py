"""Colours, fonts and words that the panels of a page share."""

from typing import Any

from matplotlib.axes import Axes

from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.inverse.score import Case

INK = "#1d2733"
FAINT = "#5d6b7a"
RANGE = "#dfe5ec"
TRAINED = "#cfe3f5"
TOLERANCE = "#dcdfe3"
DASHES = (0, (4, 1.6))
TRUE = "#30404f"
FOUND = "#e4572e"
SPECIMEN_COLOURS = ("#2166ac", "#e08214", "#5aae61", "#762a83", "#8c510a", "#35978f")
VERDICT_COLOURS = {"PASS": "#2e8b57", "FAIL": "#c0392b", "OUTSIDE": "#b7791f"}
LOCUS_SHEARS = (0.0, 0.3, 0.45)

STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 2.2,
}

QUANTITY_LABELS: dict[Quantity, str] = {
    "stress_ratio_45": "σ45 / σ0",
    "stress_ratio_90": "σ90 / σ0",
    "stress_ratio_biaxial": "σb / σ0",
    "r_value_0": "r0",
    "r_value_45": "r45",
    "r_value_90": "r90",
    "r_value_biaxial": "rb",
}


def title(axes: Axes, text: str) -> None:
    """Title a panel, left-aligned."""
    axes.set_title(text, loc="left", size=10.5, weight="bold", color=INK, pad=8)


def say(case: Case) -> str:
    """Tell the outcome in one line; the first reason stands for all."""
    judgement = case.judgement
    novelty = f"novelty {judgement.novelty:.2f} of at most {judgement.novelty_limit:.2f}"
    if judgement.reasons:
        more = f"  (+{len(judgement.reasons) - 1} more)" if judgement.reasons[1:] else ""
        lead = "Not answered: " if judgement.verdict == "outside" else ""
        return f"{lead}{judgement.reasons[0]}{more}"
    strains = f"strains reproduced to {judgement.errors['strain_rms']:.2f} × noise"
    force = judgement.errors.get("force")
    forces = "" if force is None else f", forces to {100 * force:.1f} %"
    return f"Identified from strains alone; {strains}{forces}; {novelty}"
