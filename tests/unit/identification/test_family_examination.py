"""A family's answer is examined too, its curve as unsure as it was identified."""

from dataclasses import replace

import numpy as np
import pytest

from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Piece
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate, Found
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.measurement.measured import Measurement
from tests.harness.families import small_family
from tests.unit.identification.test_nuisances import DP780

CAMPAIGN = small_family()
NOISE = Noise(strain=2e-4, force_relative=0.003)
NODES = {
    name: value for name, value in zip(CAMPAIGN.family.names, CAMPAIGN.family.nominal, strict=True)
}
NODES |= {"exponent": 6.0, "youngs_modulus_mpa": 200_000.0}
K = NODES["k05_over_e"]
MATERIAL = CAMPAIGN.family.material_of([NODES[name] for name in CAMPAIGN.family.names])


def _measured(**off: float) -> Measurement:
    """Pull a sheet of the family, its specimens all off alike, where its output times are."""
    timed, reason = with_output_times(DP780, MATERIAL, CAMPAIGN.specimens)
    assert not reason
    pieces = tuple(
        Piece(displacements_mm=piece.displacements_mm, **off)  # type: ignore[arg-type]
        for piece in timed.pieces
    )
    record = backend_of("native")[1].simulate(
        DP780, MATERIAL, timed.model_copy(update={"pieces": pieces})
    )
    assert record.status == "ok", record.reason
    random = np.random.default_rng(4)
    header = MeasurementHeader(name="sheet", source="a test", specimens=timed, noise=NOISE)
    return Measurement(
        header=header,
        strains=record.strains + NOISE.strain * random.standard_normal(record.strains.shape),
        forces=record.forces
        * (1 + NOISE.force_relative * random.standard_normal(record.forces.shape)),
    )


def _estimate() -> Estimate:
    named = dict(zip(MATERIAL.parameters, DP780.tolist(), strict=True))
    return Estimate(
        measurement="sheet",
        parameters={target: named[name] for target, name in CAMPAIGN.targets.items()},
        novelty=1.0,
        novelty_limit=3.0,
        found={"r_value_45": Found(value=1.1, low=1.095, high=1.105)},
        coordinates=NODES,
        method="surrogate",
    )


def test_a_notch_that_is_not_as_drawn_is_named_and_the_interval_covers():
    true = Sheet.of(
        dict(zip(MATERIAL.parameters, DP780.tolist(), strict=True)), MATERIAL
    ).quantities()["r_value_45"]
    found = with_examination(CAMPAIGN, _measured(notch_width_mm=0.4), _estimate())
    assert found.examination is not None and found.parameters is not None
    assert found.examination.suspects[0].name.startswith("notch_width_mm")
    one = found.found["r_value_45"]
    assert one.low < true < one.high
    assert one.high - one.low > 0.01, "no surer than what was identified before"


def test_a_clean_one_keeps_its_answer():
    found = with_examination(CAMPAIGN, _measured(), _estimate())
    assert found.examination is not None
    assert found.examination.reservations == ()
    assert found.coordinates == NODES
    assert found.found["r_value_45"].value == pytest.approx(1.1, abs=0.1)


def test_what_was_identified_is_nobody_s_mistake():
    """A modulus that nobody told, and the fit found wrong, is not told wrong; a told one may be."""
    wrong = _estimate().model_copy(
        update={"coordinates": NODES | {"youngs_modulus_mpa": 150_000.0, "k05_over_e": 4 / 3 * K}}
    )
    clean, names = _measured(), []
    told = {"youngs_modulus_mpa": (150_000.0, 0.0)}
    for knowledge in ({}, told):
        header = clean.header.model_copy(update={"knowledge": knowledge})
        found = with_examination(CAMPAIGN, replace(clean, header=header), wrong)
        assert found.examination is not None
        names.append({one.name for one in found.examination.suspects})
    assert "youngs_modulus" not in names[0]
    assert "youngs_modulus" in names[1]
