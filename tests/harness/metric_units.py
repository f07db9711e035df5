"""What each metric in MLflow counts in: a name has one unit, in whatever run it stands.

Nothing at run time asks for it; tests ask it for every name that is logged.
"""

import re

SQUARED = "squared, in units of the target's range"
SUMMED = f"{SQUARED}, summed over the targets"
UNITS = {
    r"loss/(train|validation)": SUMMED,
    r"val_[\w.]+/mse": SQUARED,
    r"test/sum_mse": SUMMED,
    r"test/mean_mse": f"{SQUARED}, mean over the targets",
    r"test_sum_mse/.+": SUMMED,
    r"test_baseline/.+": SUMMED,
    r"test_[\w.]+/mse": SQUARED,
    r"test_[\w.]+/(mae|median|p95|width)": "the target's own unit",
    r"test_[\w.]+/(r2|coverage(_\w+)?)": "1",
    r"sealed/(sum_mse|mean_baseline)": f"{SUMMED}; on the sealed test set",
    r"rate/learning": "1",
    r"speed/samples_per_s": "1/s",
    r"speed/input_wait_share": "1",
    r"objective/error": SUMMED,
    r"objective/samples_per_s": "1/s",
    r"validation/passed": "1",
    r"(validation|refined)/[^/]+/(failed|outside)": "1",
    r"(validation|refined)/[^/]+/novelty": "the limit",
    r"(validation|refined)/[^/]+/k_[\d.e-]+": "MPa",
    r"(validation|refined)/[^/]+/k_[\d.e-]+_relative_error": "1",
    r"(validation|refined)/[^/]+/youngs_modulus_mpa(_error)?": "MPa",
    r"(validation|refined)/[^/]+/exponent(_error)?": "1",
    r"(validation|refined)/[^/]+/(r_value|stress_ratio)_\w+": "1",
    r"(validation|refined)/[^/]+/(r_curve|stress_curve|yield_locus)": "1",
    r"(validation|refined)/[^/]+/force": "1",
    r"(validation|refined)/[^/]+/strain_rms": "the noise",
}
"""Pattern of a name -> unit; 1 is a plain number."""


def unit_of(key: str) -> str:
    """Return the unit of a training's or validation's metric; KeyError where it has none or two."""
    found = {unit for pattern, unit in UNITS.items() if re.fullmatch(pattern, key)}
    if len(found) != 1:
        raise KeyError(f"the metric '{key}' has {len(found)} units; give it one in UNITS")
    return found.pop()
