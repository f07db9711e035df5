"""Answers in microseconds that look like simulations and are none: to rehearse a campaign.

A fixed quadratic polynomial in what makes a sheet (yield-function parameters, exponent, hardening,
its pieces' deviations) moves the strains and forces of a strip whose notch takes all of the draw.
The same sheet always gets the same answer, on every machine; one sheet in FAILING fails, as some do
in every campaign. So networks have something to learn, and everything but the FEM runs at any size.

Nothing of it is physics: shards and datasets carry the provenance "rehearsal", and the gate never
makes a network that learned from them champion.
"""

import zlib
from functools import lru_cache
from math import log

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import NUISANCES, Specimens, TensileTest
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.record import Record, failed, finished, quantities
from hpc_jobs.fem.specimen.mesh import FloatArray

__all__ = ["FINDS_OUTPUT_TIMES", "missing", "prepare", "simulate"]

FINDS_OUTPUT_TIMES = True
"""A campaign's output times are found here too: no FEM is asked for them."""
FAILING = 1000
MODES = 24
SEED = 2026
STRENGTH = 0.35  # of a coordinate's effect on the logarithm of a strain
CURVE_STRAINS = (0.003, 0.05, 0.15)
FIRST_TIME = 0.2  # of the way, where the output times of a sheet's own begin


def missing() -> str:
    """Say nothing: it works wherever Python does."""
    return ""


def prepare(campaign: Campaign) -> str:
    """Do nothing: there is nothing to build."""
    return "nothing to do: this is a rehearsal, no FEM is run"


def simulate(parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
    """Answer for all virtual tests of one parameter point."""
    if not np.all(np.isfinite(parameters)):
        return failed("rejected_material", "a parameter is not a finite number", specimens)
    curve = _curve(material)
    sheet = np.concatenate((np.asarray(parameters) - 1, curve[1:]))
    tests = specimens.tests
    pieces = np.array([_deviations(test) for test in tests])
    if zlib.crc32(sheet.tobytes() + pieces.tobytes()) % FAILING == 0:
        return failed("min_step", "a failure for rehearsal", specimens)
    if not specimens.is_timed:
        specimens = _timed(specimens, sheet)
        tests = specimens.tests
    moved, pulled = _moved(sheet, pieces, specimens.patches.count)
    mean = np.array([np.array(test.drawn_mm) / test.geometry.notch_length_mm for test in tests])
    along = mean[:, None, :] * np.exp(moved[0])[:, :, None]
    across = -along * (0.5 + 0.2 * np.tanh(moved[1]))[:, :, None]
    section = [test.geometry.notch_width_mm * test.geometry.thickness_mm for test in tests]
    stress = curve[0] * (mean / CURVE_STRAINS[1]) ** (0.1 + abs(curve[-1]))
    forces = np.array(section)[:, None] * stress * np.exp(pulled)[:, None]
    values = np.stack((along, across, np.exp(-along - across), along))[: quantities(specimens)]
    steps = specimens.output_times * len(tests)
    largest = float(along.max())
    return finished(specimens, values, forces, largest=largest, steps=steps, iterations=steps)


@lru_cache(maxsize=64)
def _curve(material: Material) -> FloatArray:
    """k(.05) in MPa, then what the polynomial sees of exponent, elasticity and curve (4,)."""
    law = hardening_array(material.hardening)
    early, level, late = (flow_stress(law, strain)[0] for strain in CURVE_STRAINS)
    return np.array(
        (
            level,
            (material.exponent - 6) / 4,
            log(level / material.youngs_modulus_mpa / 0.003),
            log(early / level),
            log(late / level),
        )
    )


def _deviations(test: TensileTest) -> tuple[float, ...]:
    """Return how a specimen differs from the drawing; its load cell's gain comes later."""
    piece = test.piece
    return tuple(getattr(piece, name) for name in NUISANCES if name != "force_scale")


def _timed(specimens: Specimens, sheet: FloatArray) -> Specimens:
    """Return the specimens with output times of their own, evenly up to where the sheet would neck.

    The later, the more it hardens.
    """
    reach = 0.6 + 0.4 * float(np.tanh(4 * abs(sheet[-1])))
    shares = np.linspace(FIRST_TIME, 1.0, specimens.output_times) * reach
    pieces = []
    for test in specimens.tests:
        end = test.geometry.end_displacement_mm or specimens.end_displacement_mm
        times = tuple((end * shares).tolist())
        pieces.append(test.piece.model_copy(update={"displacements_mm": times}))
    return specimens.model_copy(update={"pieces": tuple(pieces)})


def _moved(sheet: FloatArray, pieces: FloatArray, patches: int) -> tuple[FloatArray, FloatArray]:
    """Return what moves strains (component, specimen, patch) and forces (specimen,)."""
    features = np.concatenate((sheet, np.outer(sheet, sheet)[np.triu_indices(len(sheet))]))
    inner, outer, own = _polynomial(len(features), len(pieces), patches, pieces.shape[1])
    moved = (outer @ (inner @ features)).reshape(len(pieces), -1)
    moved = moved + np.einsum("sn,sno->so", pieces, own)
    return np.moveaxis(moved[:, 1:].reshape(len(pieces), 2, patches), 1, 0), moved[:, 0]


@lru_cache(maxsize=8)
def _polynomial(
    features: int, specimens: int, patches: int, deviations: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients, a pure function of the shape: (modes, features), (values, modes), own ones."""
    draw, values = np.random.default_rng(SEED), 1 + 2 * patches
    inner = STRENGTH * draw.standard_normal((MODES, features))
    outer = draw.standard_normal((specimens * values, MODES)) / MODES**0.5
    own = 0.02 * draw.standard_normal((specimens, deviations, values))
    return inner, outer, own
