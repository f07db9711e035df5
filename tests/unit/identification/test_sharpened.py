"""A family's answer from afar is brought to what the measurement says, by the engine itself."""

import time
from functools import partial

import numpy as np
import pytest

from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Piece
from hpc_jobs.contract.speedup import Lookups
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate, Found
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.identification.by_fem import sharpened, start_at
from hpc_jobs.identification.mesh_bias import mesh_bias_of
from hpc_jobs.identification.quadratic_posterior import draws_in_box
from hpc_jobs.identification.quantities import quantities_of
from hpc_jobs.identification.timing import timed_engine
from hpc_jobs.measurement.measured import Measurement
from tests.harness.families import small_family
from tests.unit.identification.test_nuisances import DP780

CAMPAIGN = small_family(validation={"mesh_refinement": 1})  # measured on the campaign's own mesh
NOISE = Noise(strain=2e-4, force_relative=0.003)
SHEET = dict(zip(CAMPAIGN.family.names, CAMPAIGN.family.nominal, strict=True))
SHEET |= {"exponent": 6.0, "youngs_modulus_mpa": 200_000.0}
MATERIAL = CAMPAIGN.family.material_of(list(SHEET.values()))
TRUE = quantities_of(DP780, MATERIAL)


@pytest.fixture(scope="module")
def measured() -> Measurement:
    timed, reason = with_output_times(DP780, MATERIAL, CAMPAIGN.specimens)
    assert not reason
    record = backend_of("native")[1].simulate(DP780, MATERIAL, timed)
    assert record.status == "ok", record.reason
    pieces = tuple(Piece(displacements_mm=piece.displacements_mm) for piece in timed.pieces)
    random = np.random.default_rng(4)
    noisy = record.strains + NOISE.strain * random.standard_normal(record.strains.shape)
    gain = 1 + NOISE.force_relative * random.standard_normal(record.forces.shape)
    header = MeasurementHeader(
        name="sheet",
        source="a test",
        specimens=timed.model_copy(update={"pieces": pieces}),
        noise=NOISE,
        knowledge={"exponent": (6.0, 0.0), "youngs_modulus_mpa": (200_000.0, 0.0)},
    )
    return Measurement(header=header, strains=noisy, forces=record.forces * gain)


def far_off() -> Estimate:
    """r-values wrong by .15, stress ratios by .02, the curve's level by 4 %."""
    off = {name: 0.15 if name.startswith("r_") else 0.02 for name in QUANTITIES}
    found = {
        name: Found(value=TRUE[name] + off[name], low=TRUE[name], high=TRUE[name] + 2 * off[name])
        for name in QUANTITIES
    }
    named = dict(zip(MATERIAL.parameters, DP780.tolist(), strict=True))
    return Estimate(
        measurement="sheet",
        parameters={target: named[name] for target, name in CAMPAIGN.targets.items()},
        novelty=1.5,
        novelty_limit=3.0,
        found=found,
        coordinates=SHEET | {"k05_over_e": 1.04 * SHEET["k05_over_e"]},
        method="surrogate",
    )


def test_what_was_far_off_comes_within_its_own_narrow_intervals(measured: Measurement) -> None:
    engine = partial(sharpened, CAMPAIGN, bias=mesh_bias_of(CAMPAIGN))
    found = engine(measured, far_off()).estimate
    assert found.outside == () and found.method == "fem"
    assert 10 < found.simulations <= 120
    assert found.novelty == pytest.approx(1, abs=0.25), "it explains the measurement"
    for name in QUANTITIES[:6]:  # the biaxial r-value is hardly seen
        one = found.found[name]
        half = (one.high - one.low) / 2
        assert abs(one.value - TRUE[name]) < 2 * half, name
        assert half < (0.08 if name.startswith("r_") else 0.015), name
    level = flow_stress(hardening_array(MATERIAL.hardening), 0.05)[0]
    assert found.found["k@0.05"].value == pytest.approx(level, rel=0.02)


def test_an_answer_that_was_withheld_is_nothing_to_begin_from(measured: Measurement) -> None:
    withheld = far_off().model_copy(
        update={"parameters": None, "outside": ("unlike all",), "found": {}}
    )
    assert start_at(CAMPAIGN, withheld) is None
    assert sharpened(CAMPAIGN, measured, withheld, mesh_bias_of(CAMPAIGN)).estimate is withheld


def test_what_the_engine_takes_is_part_of_the_refinement() -> None:
    """The median of its answers' times, by the clock that measures the refinement, is added."""
    spent = list[float]()

    def busy(turns: int) -> int:
        start = time.perf_counter()
        while time.perf_counter() - start < 0.02 * turns:
            pass
        spent.append(time.perf_counter() - start)
        return turns

    before = Lookups(network_s=0.1, refinement_s=0.2)
    answers, lookups = timed_engine(before, busy, [(1,), (3,), (2,)])
    assert answers == (1, 3, 2)
    assert lookups.refinement_s is not None and lookups.network_s == 0.1
    assert lookups.refinement_s - 0.2 >= sorted(spent)[1], "all of the middle one"
    unasked = Lookups(network_s=0.1)
    assert timed_engine(unasked, busy, [(1,)])[1] == unasked, "nothing to add it to"


def test_draws_end_where_the_box_ends_and_forget_the_search_s_own_law() -> None:
    natural = Natural.of(CAMPAIGN)
    high = natural.ends[1]
    width = len(natural.names)
    end = (high - natural.centre) / natural.spread
    wide = np.where(natural.nuisance, np.inf, 3.0)
    sure = np.where(natural.nuisance, 1.0, 0.02) ** 2
    column = natural.names.index("r_value_biaxial")
    sure[column] = 0.8**2
    middle = np.zeros(width)
    middle[column] = end[column] - 0.1
    found = draws_in_box(natural, middle, np.diag(sure), wide)
    assert found is not None
    drawn, weights = found
    assert weights.sum() == pytest.approx(1)
    assert drawn[:, column].max() <= end[column]
    assert weights @ drawn[:, column] < middle[column] - 0.2, "half of the law lies beyond the box"
    middle[column] = end[column] + 8
    sure[column] = 0.02**2
    assert draws_in_box(natural, middle, np.diag(sure), wide) is None, "a sheet outside the box"
