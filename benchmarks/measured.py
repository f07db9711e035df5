"""What a mistake in a measurement costs: a sheet that is known, each mistake made in turn.

    python -m benchmarks.measured [--campaign dags/campaigns/single_sheet.yaml] [--only NAME ...]

For every mistake: the answer that takes all that is written for exact, and the examined one, with
the largest error of an r-value, its 90 % interval there, and what the examination suspects.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.material import HockettSherby, Material
from hpc_jobs.contract.measurement import MeasurementHeader, Quantity
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.nuisances.bench import Unsimulated
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import FINE, STEPS_PER_OUTPUT, yield_parameters

HALF_90 = 1.645  # standard deviations
R_VALUES: tuple[Quantity, ...] = ("r_value_0", "r_value_45", "r_value_90")
NOTHING = NuisancePriors.model_validate(dict.fromkeys(NuisancePriors.model_fields, 0.0))
"""As if everything had been measured exactly."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """The sheet, its tests, and what a perfect measurement of it holds."""

    campaign: Campaign
    material: Material
    parameters: FloatArray
    specimens: Specimens

    @lru_cache(maxsize=32)  # noqa: B019
    def pull(
        self, material: Material | None = None, specimens: Specimens | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Strains [component, specimen, patch, time] and forces [specimen, time]."""
        tests = specimens or self.specimens
        record = backend_of("auto")[1].simulate(self.parameters, material or self.material, tests)
        assert record.status == "ok", record.reason
        return record.strains.reshape(tests.strain_shape), record.forces.reshape(tests.force_shape)

    def pieces(self, **off: Any) -> Specimens:
        """All specimens off from the drawing alike."""
        pieces = (Piece(**off),) * len(self.specimens.tests)
        return self.specimens.model_copy(update={"pieces": pieces})


Mistake = Callable[[Truth], tuple[FloatArray, FloatArray | None]]


def engineering(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Give engineering strains."""
    strains, forces = truth.pull()
    return np.expm1(strains), forces


def green_lagrange(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Give Green-Lagrange strains."""
    strains, forces = truth.pull()
    return np.expm1(2 * strains) / 2, forces


def compliant(share: float) -> Mistake:
    """Let the machine take a share of the end displacement, and less before as its force is."""

    def measure(truth: Truth) -> tuple[FloatArray, FloatArray]:
        _, forces = truth.pull()
        pieces = []
        for test, force in zip(truth.specimens.tests, forces, strict=True):
            u = np.array(test.displacements_mm)
            drawn = u - share * u[-1] * force / force[-1]
            pieces.append(Piece(displacements_mm=tuple(drawn.tolist())))
        return truth.pull(specimens=truth.specimens.model_copy(update={"pieces": tuple(pieces)}))

    return measure


def off(**sizes: float) -> Mistake:
    """Cut specimens, or place patches, differently."""
    return lambda truth: truth.pull(specimens=truth.pieces(**sizes))


def scaled(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Take lengths in the pictures for 3 % shorter than they are."""
    patches = truth.specimens.patches
    region = {
        "region_length_mm": 1.03 * patches.region_length_mm,
        "region_width_mm": 1.03 * patches.region_width_mm,
    }
    patches = patches.model_copy(update=region)
    return truth.pull(specimens=truth.specimens.model_copy(update={"patches": patches}))


def windowed(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Average strains over a window of 2 mm first, .9 mm across to stay on the strip."""
    points, shares = np.polynomial.legendre.leggauss(3)
    strains = np.zeros(truth.specimens.strain_shape)
    forces = np.zeros(truth.specimens.force_shape)
    for x, share_x in zip(points, shares / 2, strict=True):
        for y, share_y in zip(points, shares / 2, strict=True):
            moved = truth.pieces(patch_along_mm=float(x), patch_across_mm=0.45 * float(y))
            one, forces = truth.pull(specimens=moved)
            strains += share_x * share_y * one
    return strains, forces


def other_exponent(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Harden with an exponent 3 % larger than told."""
    law = truth.material.hardening
    assert isinstance(law, HockettSherby)
    other = law.model_copy(update={"exponent": 1.03 * law.exponent})
    return truth.pull(material=truth.material.model_copy(update={"hardening": other}))


def heavier(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Let the load cell's zero be 600 N off."""
    strains, forces = truth.pull()
    return strains, forces + 600


def swapped(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Take the first and the last specimen for one another."""
    strains, forces = truth.pull()
    order = [len(forces) - 1, *range(1, len(forces) - 1), 0]
    return strains[:, order], forces[order]


def late_force(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Read forces .03 mm late."""
    strains, _ = truth.pull()
    end = truth.specimens.end_displacement_mm
    times = end * np.arange(1, truth.specimens.output_times + 1) / truth.specimens.output_times
    _, forces = truth.pull(specimens=truth.pieces(displacements_mm=tuple((times - 0.03).tolist())))
    return strains, forces


def late_frames(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Take each frame for the next one."""
    strains, forces = truth.pull()
    return np.concatenate([strains[..., :1] / 2, strains[..., :-1]], axis=-1), forces


def transposed(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Count patches along the strip first."""
    strains, forces = truth.pull()
    patches = truth.specimens.patches
    order = np.arange(patches.count).reshape(patches.along, patches.across).T.ravel()
    return strains[:, :, order], forces


def zeros(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Write lost patches as zero."""
    strains, forces = truth.pull()
    strains = strains.copy()
    strains[:, 1, [0, 17], -3:] = 0.0
    return strains, forces


def spike(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Let one value be wrong by far."""
    strains, forces = truth.pull()
    strains = strains.copy()
    strains[0, 1, 7, 5] += 0.1
    return strains, forces


def changed(**what: Any) -> Mistake:
    """Write one specimen's values down wrongly; see `_changed`."""
    return lambda truth: _changed(truth, **what)


def _changed(
    truth: Truth,
    *,
    force_spike: bool = False,
    exchanged: bool = False,
    mirrored: bool = False,
    frozen: bool = False,
    blank: bool = False,
    early: bool = False,
) -> tuple[FloatArray, FloatArray]:
    strains, forces = (values.copy() for values in truth.pull())
    patches = truth.specimens.patches
    if force_spike:
        forces[2, 6] *= 1.3
    if exchanged:
        strains[:, 0, :, [4, 6]] = strains[:, 0, :, [6, 4]]
    if mirrored:
        order = np.arange(patches.count).reshape(patches.along, patches.across)[:, ::-1].ravel()
        strains[:, 1] = strains[:, 1][:, order]
    if frozen:
        strains[:, 2, 4, 5:] = strains[:, 2, 4, 4:5]
    if blank:
        strains[:, 1, :, 6] = 0.0
    if early:
        forces[0, :-1] = forces[0, 1:]
    return strains, forces


def without_forces(mistake: Mistake) -> Mistake:
    """Measure strains alone."""
    return lambda truth: (mistake(truth)[0], None)


MISTAKES: dict[str, Mistake] = {
    "none": lambda truth: truth.pull(),
    "none, strains alone": lambda truth: (truth.pull()[0], None),
    "engineering strain taken for ln U": engineering,
    "Green-Lagrange taken for ln U": green_lagrange,
    "3 % of the travel lost in the machine": compliant(0.03),
    "5 %, strains alone": without_forces(compliant(0.05)),
    "notch 10.1 instead of 10.0 mm": off(notch_width_mm=0.1),
    "notch 10.3 mm": off(notch_width_mm=0.3),
    "scale wrong by 3 %": scaled,
    "strain window of 2 mm": windowed,
    "patches .25 mm off along the axis": off(patch_along_mm=0.25),
    "hardening exponent 3 % off": other_exponent,
    "force + 600 N": heavier,
    "0 and 90 degrees swapped": swapped,
    "patches .5 mm off": off(patch_along_mm=0.5),
    "force .03 mm late": late_force,
    "a frame late": late_frames,
    "patches transposed": transposed,
    "lost patches as 0": zeros,
    "a spike": spike,
    "a spike in the forces": changed(force_spike=True),
    "two frames of one specimen swapped": changed(exchanged=True),
    "specimen 45 seen from behind": changed(mirrored=True),
    "a frozen patch": changed(frozen=True),
    "zeros in one frame": changed(blank=True),
    "forces of one specimen a time early": changed(early=True),
    "strain window of 2 mm, strains alone": without_forces(windowed),
    "scale wrong by 3 %, strains alone": without_forces(scaled),
    "notch 10.1 mm, strains alone": without_forces(off(notch_width_mm=0.1)),
}


def measurement_of(truth: Truth, mistake: Mistake, seed: int) -> Measurement:
    """Measure with a mistake, then noise."""
    random = np.random.default_rng(seed)
    strains, forces = mistake(truth)
    noise = truth.campaign.noise
    strains = strains.ravel() + noise.strain * random.standard_normal(strains.size)
    if forces is not None:
        forces = forces.ravel()
        forces = forces * (1 + noise.force_relative * random.standard_normal(forces.size))
    header = MeasurementHeader(
        name="measured",
        source="benchmarks.measured",
        material=truth.material,
        specimens=truth.campaign.specimens,
        noise=noise,
    )
    return Measurement(header=header, strains=strains, forces=forces)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaign", type=Path, default=Path("dags/campaigns/single_sheet.yaml"))
    parser.add_argument("--alloy", default="dp780", choices=sorted(ALLOYS))
    parser.add_argument("--only", nargs="*", default=list(MISTAKES))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    campaign = load(Campaign, given.campaign)
    truth = truth_of(campaign, given.alloy)
    print(
        "| mistake | rms | error of r | all exact | rms | error of r | +- | over width | examined |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.only:
        print(row(name, truth, given.seed), flush=True)


def truth_of(campaign: Campaign, alloy: str) -> Truth:
    """Return a published alloy on a mesh finer than the campaign's."""
    named, _ = yield_parameters(ALLOYS[alloy], campaign.material.exponent)
    steps = max(STEPS_PER_OUTPUT, campaign.specimens.steps_per_output)
    return Truth(
        campaign=campaign,
        material=campaign.material,
        parameters=np.array([named[key] for key in campaign.material.parameters]),
        specimens=campaign.specimens.model_copy(update={"mesh": FINE, "steps_per_output": steps}),
    )


def row(name: str, truth: Truth, seed: int) -> str:
    """Identify twice, and compare with the truth."""
    measurement = measurement_of(truth, MISTAKES[name], seed)
    exact = truth.campaign.model_copy(
        update={"validation": truth.campaign.validation.model_copy(update={"priors": NOTHING})}
    )
    return f"| {name} | {before(truth, exact, measurement)} | {now(truth, measurement)} |"


def before(truth: Truth, exact: Campaign, measurement: Measurement) -> str:
    """Tell the answer of one who takes all for exact: rms, error, verdict."""
    try:
        found = examine(exact, measurement, mistakes=False)
    except Unsimulated:
        return "- | - | withheld"
    error, deviation, _ = errors(truth, found)
    rms = found.examination.rms
    verdict = "withheld" if rms > exact.validation.strain_rms_tolerance else "answered"
    return f"{rms:.2f} | {error:.2f} +- {HALF_90 * deviation:.2f} | {verdict}"


def now(truth: Truth, measurement: Measurement) -> str:
    """Tell the examined answer: rms, error, its interval, their ratio, verdict, suspects."""
    try:
        found = examine(truth.campaign, measurement)
    except Unsimulated as reason:
        return f"- | - | - | - | withheld: {reason}"
    error, deviation, share = errors(truth, found)
    told = found.examination
    withheld = told.rms > truth.campaign.validation.strain_rms_tolerance
    verdict = "withheld" if withheld else "reservations" if told.reservations else "answered"
    suspects = "; ".join(
        f"{one.words} ({one.probability:.2f}, {one.sigmas:.1f} sigma)" for one in told.suspects[:2]
    )
    return (
        f"{told.rms:.2f} | {error:.3f} | {HALF_90 * deviation:.3f} | {share:.2f} | "
        f"{verdict}: {suspects or '-'}"
    )


def errors(truth: Truth, found: Examined) -> tuple[float, float, float]:
    """Largest error of an r-value, its deviation, and the largest error over a whole interval."""
    named = dict(zip(truth.material.parameters, truth.parameters, strict=True))
    true = Sheet.of(named, truth.material).quantities()
    misses = {
        name: (abs(value - true[name]), deviation)
        for name, (value, deviation) in found.examination.quantities.items()
        if name in R_VALUES
    }
    error, deviation = max(misses.values())
    share = max(miss / (2 * HALF_90 * sd) for miss, sd in misses.values())
    return error, deviation, share


if __name__ == "__main__":
    main()
