"""Measurements of sheets that are known: finer meshes and steps than any training, and noise."""

import zlib

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import MeasurementHeader, Truth
from hpc_jobs.contract.sheet import HardeningNodes, LawRanges, Ranged
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.design.family import coordinates_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.materials.yield_locus import alpha_from_tests
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.measurement.alloys import ALLOYS, PublishedAlloy
from hpc_jobs.measurement.file import Measurement

FINE = Mesh(along=96, across=48, grading=0.4)  # no campaign's: what ships can be written again
STEPS_PER_OUTPUT = 8


class ImpossibleExperiment(Exception):
    """An alloy that cannot be tested in this campaign's way."""


def virtual_experiment(
    campaign: Campaign,
    alloy: str,
    name: str,
    seed: int = 0,
    mesh: Mesh = FINE,
    *,
    nuisances: bool = False,
) -> Measurement:
    """Test a known sheet: its anisotropy, and of a family also its own exponent, E and curve.

    Whatever the campaign fixes is the campaign's. The mesh must be at least twice as fine as the
    campaign's. With `nuisances` the specimens are off the drawing as the campaign expects; else
    as drawn. Where the campaign has a timing, the output times are found in the experiment's own
    force-displacement curve. Raises ImpossibleExperiment.
    """
    if campaign.sheet.yield_function != "yld2000_2d":
        raise ImpossibleExperiment(
            f"{alloy}: published as a yld2000_2d sheet, but campaign '{campaign.name}' identifies "
            f"{campaign.sheet.yield_function}; use a yld2000_2d campaign, or import a "
            "measurement of your own"
        )
    chosen, family = ALLOYS[alloy], campaign.family
    random = np.random.default_rng([seed, zlib.crc32(alloy.encode())])
    material = _material(campaign, chosen)
    parameters, origin = yield_parameters(chosen, material.exponent)
    values = np.array([parameters[key] for key in material.parameters])
    specimens = _fine(campaign.specimens, mesh)
    if nuisances:
        specimens = _off_the_drawing(campaign, specimens, random)
    specimens, reason = with_output_times(values, material, specimens, mesh)
    record = simulate(values, material, specimens)
    if reason or record.status != "ok":
        raise ImpossibleExperiment(
            f"{alloy}: ended with '{record.status}': {reason or record.reason}"
        )
    coordinates = dict(
        zip(family.names, coordinates_of(family, material, specimens).tolist(), strict=True)
    )
    sheet = Sheet.of(parameters, material)
    header = MeasurementHeader(
        name=name,
        source=_source(campaign, chosen, origin, specimens, seed),
        material=campaign.sheet.fixed,
        knowledge={
            one.name: (coordinates[one.name], 0.0)
            for one in family.coordinates
            if one.role == "given"
        },
        specimens=as_told(specimens),
        noise=campaign.noise,
        truth=Truth(
            quantities=sheet.quantities(),
            parameters=parameters,
            curves=sheet.curves(),
            material=None if family.is_single_sheet else material,
            coordinates=coordinates,
        ),
    )
    noise = campaign.noise
    strains = record.strains + noise.strain * random.standard_normal(record.strains.shape)
    forces = record.forces * (
        1 + noise.force_relative * random.standard_normal(record.forces.shape)
    )
    return Measurement(header=header, strains=strains, forces=forces)


def as_told(specimens: Specimens) -> Specimens:
    """Return what a test house says of its specimens: as drawn, at the times measured."""
    pieces = tuple(Piece(displacements_mm=piece.displacements_mm) for piece in specimens.pieces)
    if not specimens.timing:
        pieces = ()
    return specimens.model_copy(update={"pieces": pieces})


def _material(campaign: Campaign, alloy: PublishedAlloy) -> Material:
    """Return the campaign's material where it is fixed, and the alloy's own where it is not."""
    sheet = campaign.sheet
    exponent, modulus, law = sheet.exponent, sheet.youngs_modulus_mpa, sheet.hardening
    curve = alloy.hardening if isinstance(law, HardeningNodes | LawRanges) else law
    return Material(
        yield_function=sheet.yield_function,
        exponent=alloy.exponent if isinstance(exponent, Ranged) else exponent,
        youngs_modulus_mpa=alloy.youngs_modulus_mpa if isinstance(modulus, Ranged) else modulus,
        poisson_ratio=sheet.poisson_ratio,
        hardening=curve,
    )


def _off_the_drawing(
    campaign: Campaign, specimens: Specimens, random: np.random.Generator
) -> Specimens:
    family = campaign.family
    values = np.zeros(len(family.coordinates))
    for i in family.columns("nuisance"):
        one = family.coordinates[i]
        values[i] = np.clip(one.sd * random.standard_normal(), one.low, one.high)
    return family.specimens_of(values.tolist(), specimens)


def _source(
    campaign: Campaign, alloy: PublishedAlloy, origin: str, specimens: Specimens, seed: int
) -> str:
    own = isinstance(campaign.sheet.hardening, HardeningNodes | LawRanges)
    curve = f"hardening {alloy.curve}" if own else f"hardening of campaign '{campaign.name}'"
    return (
        f"Virtual experiment: {alloy.title} ({alloy.source}; {origin}), {curve}, "
        f"{specimens.mesh.along} x {specimens.mesh.across} elements,"
        f" independent Gaussian noise, seed {seed}"
    )


def yield_parameters(alloy: PublishedAlloy, exponent: float) -> tuple[dict[str, float], str]:
    """Alpha by name, and where it comes from: published, or solved from the alloy's tests.

    An alloy published for another exponent keeps its mechanical values, not its alpha.
    """
    names = [f"alpha{i}" for i in range(1, 9)]
    if alloy.alpha and alloy.exponent == exponent:
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
