"""One sequence over a family: mechanical values, curves, scalars and nuisances together."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from scipy.stats import kstest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import parse
from hpc_jobs.contract.material import Nodes
from hpc_jobs.contract.records import ShardFields
from hpc_jobs.design.family import places_of_sheets, sheets_in_box
from hpc_jobs.design.mechanical import axes, draw, in_box, mechanical_axes, parameters_of, places_of
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.design.sensitivities import sensitivities
from hpc_jobs.design.sobol import TRAIN, sobol_points
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.yield_locus import mechanical_values
from hpc_jobs.fem.records.shard_file import read_shard
from hpc_jobs.fem.records.shard_summary import summarise
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from tests.harness.families import DEMO, small_family


def test_the_sequence_runs_over_everything_that_varies() -> None:
    campaign = small_family()
    assert axes(campaign) == (*mechanical_axes(campaign), *campaign.family.names)
    drawn = draw(campaign, TRAIN, 0, 12)
    assert drawn.sheet.shape == (12, len(campaign.family.names))
    unit = sobol_points(campaign.design.seed, TRAIN, len(axes(campaign)), 0, drawn.stop)
    _, reasons = parameters_of(campaign, in_box(campaign, unit))
    accepted = unit[[not reason for reason in reasons]]
    assert places_of(campaign, drawn.parameters, drawn.sheet) == pytest.approx(accepted, abs=1e-6)


def test_each_yield_function_has_its_own_exponent_and_the_values_that_were_drawn() -> None:
    campaign = small_family()
    drawn = draw(campaign, TRAIN, 0, 6)
    assert np.ptp(drawn.sheet[:, 0]) > 1
    for row, values in zip(drawn.parameters, drawn.sheet.tolist(), strict=True):
        material = campaign.family.material_of(values)
        found = mechanical_values(MATERIALS["yld2000_2d"].of(row[list(campaign.columns)], material))
        for name in mechanical_axes(campaign):
            low, high = getattr(campaign.design.box, name)
            assert low - 1e-6 <= found[name] <= high + 1e-6


def test_no_curve_softens_or_jumps() -> None:
    campaign = small_family()
    form = campaign.sheet.hardening
    for values in draw(campaign, TRAIN, 0, 40).sheet.tolist():
        law = campaign.family.material_of(values).hardening
        assert isinstance(law, Nodes)
        exponents = np.diff(np.log(law.stresses_mpa)) / form.lengths
        assert 0 < exponents[0] < 0.65 + 1e-9
        assert exponents[1:].min() > 0.02 - 1e-9
        assert exponents[1:].max() < 0.32 + 1e-9
        assert np.abs(np.diff(exponents[1:])).max() <= form.largest_jump + 1e-9


def test_nuisances_are_normal_and_cut_at_three_deviations() -> None:
    family = small_family().family
    unit = sobol_points(3, TRAIN, len(family.names), 0, 1024)
    values = sheets_in_box(family, unit)
    for i in family.columns("nuisance"):
        scaled = values[:, i] / family.coordinates[i].sd
        assert kstest(scaled, "norm").pvalue > 0.05
        assert np.abs(scaled).max() <= 3
    assert places_of_sheets(family, values) == pytest.approx(unit, abs=1e-9)


def test_values_lie_between_the_bounds_that_coordinates_tell() -> None:
    family = small_family().family
    values = sheets_in_box(family, np.random.default_rng(1).uniform(size=(500, len(family.names))))
    for column, one in zip(values.T, family.coordinates, strict=True):
        assert one.low <= column.min()
        assert column.max() <= one.high


def test_what_is_fixed_draws_as_before() -> None:
    """A family's scalars do not change where a single sheet's sequence runs."""
    campaign = parse(Campaign, yaml.safe_load(DEMO.read_text()), "demo")
    assert axes(campaign) == mechanical_axes(campaign)
    assert draw(campaign, TRAIN, 0, 5).sheet.shape == (5, 0)


def test_a_family_without_its_sheets_is_refused() -> None:
    campaign = small_family()
    with pytest.raises(ValueError, match="is of a family: give the records' values of exponent"):
        places_of(campaign, draw(campaign, TRAIN, 0, 2).parameters)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder[Path], Campaign]:
    campaign, run = small_family(), RunFolder(tmp_path_factory.mktemp("family"))
    choose_round(run, campaign, 0, None)
    points, rows = read_round(run, 0), slice(0, 6)
    work = Assignment(
        round=0,
        index=0,
        parameters=points.parameters[rows],
        sheet=points.sheet[rows],
        is_test=points.is_test[rows],
        point=points.point[rows],
        level=points.level[rows],
    )
    frozen = FrozenCampaign(run_id="family", campaign=campaign, code_sha256="ab" * 32)
    assert solve_shard(run, frozen, work, lambda *_: None).facts["by_status"] == {"ok": 6}
    return run, campaign


def test_a_shard_holds_every_records_sheet_and_output_times(
    solved: tuple[RunFolder[Path], Campaign],
) -> None:
    run, campaign = solved
    points = read_round(run, 0)
    with h5py.File(run.shard(0, 0)) as file:
        assert np.array_equal(file[ShardFields.SHEET], points.sheet[:6])
        assert file[ShardFields.SHEET].dtype == np.float64
        times = file[ShardFields.DISPLACEMENTS][:].reshape(6, 3, 4)
    assert np.all(np.diff(times, axis=-1) > 0)
    assert np.ptp(times[:, :, -1]) > 0.05  # every sheet has its own
    shard = read_shard(run.shard(0, 0))
    assert [one.name for one in shard.coordinates] == list(campaign.family.names)
    assert np.array_equal(shard.displacements, times)
    told = summarise(shard)
    assert "exponent 5 to 9 (given)" in told
    assert "k05_over_e" in told


def test_a_record_of_a_shard_can_be_simulated_again(
    solved: tuple[RunFolder[Path], Campaign],
) -> None:
    from hpc_jobs.fem.backends import native

    run, campaign = solved
    shard, family = read_shard(run.shard(0, 0)), campaign.family
    values = shard.columns[ShardFields.SHEET][3].tolist()
    record = native.simulate(
        shard.columns[ShardFields.PARAMETERS][3, list(campaign.columns)],
        family.material_of(values),
        family.specimens_of(values, campaign.specimens),
    )
    assert np.array_equal(record.forces.astype(np.float32), shard.forces[3].ravel())


def test_a_later_round_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    campaign, run = small_family(), RunFolder(tmp_path)
    choose_round(run, campaign, 0, None)
    choose_round(run, campaign, 1, 5)
    first, second = read_round(run, 0), read_round(run, 1)
    whole = draw(campaign, TRAIN, 0, 24 + 5)
    assert np.array_equal(np.vstack((first.sheet[:24], second.sheet)), whole.sheet)


def test_what_measurements_see_of_a_sheet() -> None:
    """Level, E and load cell are one dimension; all else is seen, and less with the curve."""
    campaign = small_family(nuisance={"angle_deg": 0, "notch_width_mm": 0})
    family, drawn = campaign.family, draw(campaign, TRAIN, 0, 1)
    sheet = drawn.sheet[0].copy()
    sheet[list(family.columns("nuisance"))] = 0
    seen = sensitivities(campaign, drawn.parameters[0], sheet, mesh=campaign.specimens.mesh)
    assert seen.names == axes(campaign)
    column = dict(zip(seen.names, seen.matrix.T, strict=True))
    modulus = sheet[family.names.index("youngs_modulus_mpa")] * column["youngs_modulus_mpa"]
    gains = sum(column[f"force_scale@{angle}"] for angle in (0, 45, 90))
    assert modulus == pytest.approx(gains, rel=1e-3, abs=1e-3 * np.abs(gains).max())
    known = {name: 0.0 for name in family.names}
    given = {name: 0.0 for name in family.names[:2]}
    exact, free, blind = (
        np.sqrt(np.diag(covariance))[: len(mechanical_axes(campaign))]
        for covariance in (
            seen.covariance(known), seen.covariance(given), seen.covariance(given, forces=False)
        )
    )  # fmt: skip
    assert np.all(exact <= free)
    assert np.all(free <= blind)
    assert np.all(blind < seen.prior[:7])
    assert exact[mechanical_axes(campaign).index("r_value_0")] < 0.1


def test_a_point_beyond_the_box_that_no_sheet_has_is_refused_not_an_error():
    """Points around a measured sheet may lie there: exponents below 2, or curves that soften."""
    campaign = small_family()
    where = np.full((3, len(axes(campaign))), 0.5)
    where[:2, axes(campaign).index("exponent")] = (-0.9, 5.0)  # of the box: 1.4 and 25
    _, reasons = parameters_of(campaign, in_box(campaign, where))
    assert reasons[:2] == ["impossible_sheet"] * 2 and reasons[2] == ""
