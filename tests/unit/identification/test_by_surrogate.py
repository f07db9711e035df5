"""Refinement with real simulations: nearer to the truth than its start, and honest about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.measurement import MeasurementHeader, Truth
from hpc_jobs.contract.speedup import Lookups
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TRAIN
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.fem_updating import update
from hpc_jobs.identification.figures import draw_case
from hpc_jobs.identification.intervals import draw_sheets, quantity_intervals
from hpc_jobs.identification.mesh_bias import mesh_bias
from hpc_jobs.identification.resimulated import Field
from hpc_jobs.identification.timing import time_refinement
from hpc_jobs.identification.verdict import score
from hpc_jobs.measurement.file import Measurement

COARSE = {
    "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 5, "end_displacement_mm": 0.5}
}
RECORDS = 160


@pytest.fixture(scope="module")
def small(demo: Path) -> Campaign:
    return load(Campaign, demo, COARSE)


@pytest.fixture(scope="module")
def identifier(small: Campaign) -> Identifier:
    points = draw(small, TRAIN, 0, RECORDS).parameters
    _, backend = backend_of(small.solver)
    solved = [
        backend.simulate(row[list(small.columns)], small.material, small.specimens)
        for row in points
    ]
    good = np.array([record.status == "ok" for record in solved])
    records = ForwardRecords(
        points[good],
        np.array([record.strains for record in solved])[good],
        np.array([record.forces for record in solved])[good],
    )
    no_bias = mesh_bias(small.material, small.specimens, 1, small.solver)
    return Identifier(small, records, (points.min(0), points.max(0)), no_bias)


@pytest.fixture(scope="module")
def measured(small: Campaign, truths: dict[str, dict[str, float]]) -> Measurement:
    """DP780 on the campaign's mesh, with the campaign's noise."""
    return measure(small, truths["dp780"], seed=2)


def measure(small: Campaign, parameters: dict[str, float], seed: int) -> Measurement:
    values = np.array([parameters[name] for name in small.material.parameters])
    record = backend_of(small.solver)[1].simulate(values, small.material, small.specimens)
    rng, noise = np.random.default_rng(seed), small.noise
    sheet = Sheet.of(parameters, small.material)
    header = MeasurementHeader(
        name="dp780",
        source="virtual",
        material=small.material,
        specimens=small.specimens,
        noise=noise,
        truth=Truth(quantities=sheet.quantities(), parameters=parameters, curves=sheet.curves()),
    )
    return Measurement(
        header=header,
        strains=record.strains + noise.strain * rng.standard_normal(record.strains.shape),
        forces=record.forces * (1 + noise.force_relative * rng.standard_normal(len(record.forces))),
    )


@pytest.fixture(scope="module")
def refined(identifier: Identifier, measured: Measurement) -> Estimate:
    return identifier.refine(measured)


def test_the_truth_lies_within_the_uncertainty(
    small: Campaign, refined: Estimate, truths: dict[str, dict[str, float]]
) -> None:
    assert refined.parameters is not None, refined.outside
    true = np.array([truths["dp780"][small.targets[target]] for target in refined.parameters])
    off = np.array(list(refined.parameters.values())) - true
    deviation = np.sqrt(np.diag(np.array(refined.covariance)))
    assert np.abs(off / deviation).max() < 4
    assert refined.novelty == pytest.approx(1, abs=0.1)


MEASURED_AGAIN = 8


def test_the_seven_values_have_intervals_that_hold_them(
    small: Campaign, identifier: Identifier, truths: dict[str, dict[str, float]]
) -> None:
    """Nine of ten, over measurements of one sheet; intervals of half the width hold six."""
    true = Sheet.of(truths["dp780"], small.material).quantities()
    held = dict.fromkeys(true, 0)
    for seed in range(MEASURED_AGAIN):
        refined = identifier.refine(measure(small, truths["dp780"], seed))
        intervals = quantity_intervals(draw_sheets(small, refined))
        assert intervals.keys() == true.keys() and len(true) == 7
        for name, (low, high) in intervals.items():
            held[name] += low <= true[name] <= high
        widths = {name: high - low for name, (low, high) in intervals.items()}
        assert widths["r_value_0"] < widths["r_value_biaxial"] < 1.0
    assert sum(held.values()) >= 0.82 * 7 * MEASURED_AGAIN, held
    assert min(held.values()) >= MEASURED_AGAIN / 2, held


def test_a_refined_case_is_scored_and_drawn_with_its_intervals(
    small: Campaign,
    identifier: Identifier,
    measured: Measurement,
    refined: Estimate,
    tmp_path: Path,
) -> None:
    strains, forces = identifier.surrogate(small.noise).simulate(
        np.array([list(refined.parameters.values())])
    )
    field = Field(estimate=refined, status="ok", reason="", strains=strains[0], forces=forces[0])
    case = score(small, measured, field)
    assert case.judgement.intervals.keys() == case.judgement.quantities.keys()
    assert case.judgement.errors["strain_rms"] == pytest.approx(1, abs=0.1)
    draw_case(tmp_path / "page.png", small, case)
    without = score(small, measured, Field(
        estimate=refined.model_copy(update={"covariance": None}),
        status="ok", reason="", strains=strains[0], forces=forces[0],
    ))  # fmt: skip
    assert without.judgement.intervals == {} and without.draws == ()
    draw_case(tmp_path / "plain.png", small, without)
    pages = [(tmp_path / name).read_bytes() for name in ("page.png", "plain.png")]
    assert pages[0] != pages[1]


def test_forces_narrow_the_intervals(
    identifier: Identifier, measured: Measurement, refined: Estimate
) -> None:
    blind = identifier.identify(measured.strains)
    variances = [np.diag(np.array(one.covariance)) for one in (blind, refined)]
    assert np.all(variances[1] < 1.1 * variances[0]) and np.sum(variances[1]) < np.sum(variances[0])


def test_patches_that_were_not_seen_are_left_out(
    identifier: Identifier, measured: Measurement, refined: Estimate
) -> None:
    """An answer near that of the whole, a little less sure."""
    shape = measured.header.specimens.strain_shape
    strains = measured.strains.reshape(shape).copy()
    strains[:, 0, :2] = np.nan
    answer = identifier.refine(replace(measured, strains=strains.ravel()))
    assert answer.parameters is not None
    assert refined.parameters is not None
    before, after = (np.sqrt(np.diagonal(np.array(one.covariance))) for one in (refined, answer))
    assert after.sum() > before.sum()
    moved = np.array(list(answer.parameters.values())) - list(refined.parameters.values())
    assert (np.abs(moved) < 4 * after).all()


def test_what_no_simulated_sheet_explains_is_outside(
    identifier: Identifier, measured: Measurement
) -> None:
    estimate = identifier.identify(measured.strains * 1.3, measured.forces)
    assert estimate.parameters is None and estimate.covariance is None
    assert "misses the measurement by" in estimate.outside[0]


@pytest.mark.parametrize(
    ("strains", "forces", "said"),
    [
        (np.ones(3), None, r"strains have shape \(3,\); the campaign measures"),
        (np.nan, None, "strains value 0 is nan; measure it again"),
        (0.01, -1.0, "forces value 0 is -1 N; tension is positive"),
    ],
)
def test_broken_input_is_refused(
    identifier: Identifier, strains: object, forces: object, said: str
) -> None:
    specimens = identifier.campaign.specimens
    if np.ndim(strains) == 0:
        strains = np.full(specimens.strain_values, strains)
    if forces is not None:
        forces = np.full(specimens.force_values, forces)
    with pytest.raises(BadInput, match=said):
        identifier.identify(strains, forces)


def test_fem_updating_finds_the_same_sheet_at_the_price_of_many_simulations(
    identifier: Identifier, measured: Measurement, refined: Estimate
) -> None:
    found = update(identifier, measured)
    assert found.simulations > 2 * len(found.parameters)  # Jacobians by differences, twice at least
    lookups = time_refinement(Lookups(network_s=1.0), identifier, measured, refined)
    assert lookups.refinement_s and lookups.surrogate_s
    assert lookups.surrogate_s < found.seconds / found.simulations
    material = identifier.campaign.material
    quantities = [
        Sheet.of(by_parameter(identifier.campaign, parameters), material).quantities()
        for parameters in (found.parameters, refined.parameters)
    ]
    intervals = quantity_intervals(draw_sheets(identifier.campaign, refined))
    for name, (low, high) in intervals.items():
        assert abs(quantities[0][name] - quantities[1][name]) < high - low, name


def test_records_of_a_finer_mesh_correct_what_measurements_are_compared_with(
    small: Campaign, identifier: Identifier
) -> None:
    records, some = identifier.records, slice(0, 40)
    fine = ForwardRecords(
        records.parameters[some], records.strains[some] * 1.2, records.forces[some] * 0.98
    )
    corrected = Identifier(small, records, identifier.limits, identifier.bias, fine)
    strains, forces = corrected.surrogate(small.noise).simulate(fine.parameters)
    plain, _ = identifier.surrogate(small.noise).simulate(fine.parameters)
    assert np.sqrt(((plain - fine.strains) ** 2).mean()) > 2 * small.noise.strain
    assert np.sqrt(((strains - fine.strains) ** 2).mean()) < 0.2 * small.noise.strain
    assert np.abs(forces / fine.forces - 1).max() < small.noise.force_relative
