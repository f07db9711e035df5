"""Colours and words that the panels of an inverse validation share."""

from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.figure_style import BAD, DOUBTFUL, GOOD
from hpc_jobs.identification.score import Case

RANGE = "#dfe5ec"
TRAINED = "#cfe3f5"
TOLERANCE = "#dcdfe3"
DASHES = (0, (4, 1.6))
TRUE = "#30404f"
FOUND = "#e4572e"
BAND = "#f6c3b3"  # interval of what was identified
VERDICT_COLOURS = {"PASS": GOOD, "FAIL": BAD, "OUTSIDE": DOUBTFUL}
LOCUS_SHEARS = (0.0, 0.3, 0.45)

QUANTITY_LABELS: dict[Quantity, str] = {
    "stress_ratio_45": "σ45 / σ0",
    "stress_ratio_90": "σ90 / σ0",
    "stress_ratio_biaxial": "σb / σ0",
    "r_value_0": "r0",
    "r_value_45": "r45",
    "r_value_90": "r90",
    "r_value_biaxial": "rb",
}


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
    how = "Refined by the forward surrogate" if case.refined else "Identified by the network"
    return f"{how}; {strains}{forces}; {novelty}"
