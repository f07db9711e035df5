"""Measurements of sheets that are known: finer meshes and steps than any training, and noise."""

import zlib

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import MeasurementHeader, Truth
from hpc_jobs.contract.specimen import Mesh, Specimens
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.materials.yield_locus import alpha_from_tests
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.measurement.alloys import ALLOYS, PublishedAlloy
from hpc_jobs.measurement.file import Measurement

FINE = Mesh(along=96, across=48, grading=0.4)  # no campaign's: what ships can be written again
STEPS_PER_OUTPUT = 8


class ImpossibleExperiment(Exception):
    """An alloy that cannot be tested in this campaign's way."""


def virtual_experiment(
    campaign: Campaign, alloy: str, name: str, seed: int = 0, mesh: Mesh = FINE
) -> Measurement:
    """Test a published alloy: its anisotropy with the campaign's hardening and exponent.

    The mesh must be at least twice as fine as the campaign's. Raises ImpossibleExperiment.
    """
    if campaign.material.yield_function != "yld2000_2d":
        raise ImpossibleExperiment(
            f"{alloy}: published as a yld2000_2d sheet, but campaign '{campaign.name}' identifies "
            f"{campaign.material.yield_function}; use a yld2000_2d campaign, or import a "
            "measurement of your own"
        )
    parameters, origin = yield_parameters(ALLOYS[alloy], campaign.material.exponent)
    sheet = Sheet.of(parameters, campaign.material)
    specimens = _fine(campaign.specimens, mesh)
    values = np.array([parameters[key] for key in campaign.material.parameters])
    record = simulate(values, campaign.material, specimens)
    if record.status != "ok":
        raise ImpossibleExperiment(f"{alloy}: ended with '{record.status}': {record.reason}")
    source = (
        f"Virtual experiment: {ALLOYS[alloy].title} ({ALLOYS[alloy].source}; {origin}), hardening "
        f"of campaign '{campaign.name}', {specimens.mesh.along} x {specimens.mesh.across} elements,"
        f" independent Gaussian noise, seed {seed}"
    )
    header = MeasurementHeader(
        name=name,
        source=source,
        material=campaign.material,
        specimens=specimens,
        noise=campaign.noise,
        truth=Truth(quantities=sheet.quantities(), parameters=parameters, curves=sheet.curves()),
    )
    random = np.random.default_rng([seed, zlib.crc32(alloy.encode())])
    noise = campaign.noise
    strains = record.strains + noise.strain * random.standard_normal(record.strains.shape)
    forces = record.forces * (
        1 + noise.force_relative * random.standard_normal(record.forces.shape)
    )
    return Measurement(header=header, strains=strains, forces=forces)


def yield_parameters(alloy: PublishedAlloy, exponent: float) -> tuple[dict[str, float], str]:
    """Alpha by name, and where it comes from: published, or solved from the alloy's tests.

    An alloy published for another exponent keeps its mechanical values, not its alpha.
    """
    names = [f"alpha{i}" for i in range(1, 9)]
    if alloy.exponent == exponent:
        return dict(zip(names, alloy.alpha, strict=True)), f"published alpha, exponent {exponent:g}"
    tests = alloy.tests
    stresses = [1.0, *(tests[q] for q in ("stress_ratio_45", "stress_ratio_90"))]
    r_values = [tests[q] for q in ("r_value_0", "r_value_45", "r_value_90")]
    alpha, solved = alpha_from_tests(
        [[*stresses, tests["stress_ratio_biaxial"]]],
        [[*r_values, tests["r_value_biaxial"]]],
        exponent,
    )
    if not solved[0]:
        raise ImpossibleExperiment(
            f"{alloy.title}: no alpha with exponent {exponent:g} gives its published mechanical "
            f"values; use a campaign with exponent {alloy.exponent}"
        )
    origin = f"alpha for exponent {exponent:g} from the published mechanical values"
    return dict(zip(names, alpha[0].tolist(), strict=True)), origin


def _fine(specimens: Specimens, mesh: Mesh) -> Specimens:
    own = specimens.mesh
    if mesh.along < 2 * own.along or mesh.across < 2 * own.across:
        raise ImpossibleExperiment(
            f"{mesh.along} x {mesh.across} elements are not twice as many per direction as the "
            f"campaign's {own.along} x {own.across}; an experiment must not share its mesh error"
        )
    steps = max(STEPS_PER_OUTPUT, specimens.steps_per_output)
    return specimens.model_copy(update={"mesh": mesh, "steps_per_output": steps})
