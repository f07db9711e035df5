"""Rounds: exact counts, one sequence over all rounds, an independent test set, honest rejects."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.workspace import RunFolder, manifest_of
from hpc_jobs.design.errors import EmptyBox, MissingRecords
from hpc_jobs.design.mechanical import AXES, draw, in_box, parameters_of
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.design.sobol import TEST, TRAIN, sobol_points
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.yield_locus import biaxial, r_value, yield_stress

DEMO = Path(__file__).parents[3] / "dags" / "campaigns" / "demo.yaml"


@pytest.fixture
def campaign() -> Campaign:
    design = {"train_records": 60, "test_records": 20, "records_per_shard": 25}
    return load(Campaign, DEMO, {"design": design})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder[Path]:
    return RunFolder(tmp_path)


def test_a_sequence_can_be_continued_anywhere() -> None:
    whole = sobol_points(7, TRAIN, 7, 0, 100)
    for start in (0, 1, 37):
        assert np.array_equal(sobol_points(7, TRAIN, 7, start, 20), whole[start : start + 20])


def test_streams_and_seeds_are_different_scrambles() -> None:
    train, test = sobol_points(7, TRAIN, 7, 0, 64), sobol_points(7, TEST, 7, 0, 64)
    assert np.abs(train[:, None] - test).max(axis=-1).min() > 1e-3
    assert not np.array_equal(train, sobol_points(8, TRAIN, 7, 0, 64))


def test_first_round_has_exactly_what_was_asked(run: RunFolder[Path], campaign: Campaign) -> None:
    facts = choose_round(run, campaign, 0, None).facts
    chosen = read_round(run, 0)
    assert facts["records"] == 80
    assert facts["shards"] == 4
    assert facts["round"] == 0
    assert chosen.is_test.tolist() == [False] * 60 + [True] * 20
    assert chosen.point.tolist() == list(range(80))
    assert facts["rejected"] == chosen.rejected.total() > 0
    assert chosen.sobol_stop + chosen.test_stop == 80 + chosen.rejected.total()
    assert chosen.seed == campaign.design.seed


def test_points_have_the_mechanical_values_they_were_drawn_for(campaign: Campaign) -> None:
    drawn = draw(campaign, TRAIN, 0, 10)
    unit = sobol_points(campaign.design.seed, TRAIN, len(AXES), 0, drawn.stop)
    parameters, reasons = parameters_of(campaign, in_box(campaign.design.box, unit))
    accepted = [row for row, reason in enumerate(reasons) if not reason]
    assert np.array_equal(parameters[accepted], drawn.parameters)
    for row, tests in zip(
        drawn.parameters, in_box(campaign.design.box, unit[accepted]), strict=True
    ):
        material = Yld2000(row[list(campaign.columns)], 6)
        sigma_b, r_b = biaxial(material)
        found = (*yield_stress(material, [45, 90]), sigma_b, *r_value(material, [0, 45, 90]), r_b)
        assert found == pytest.approx(tests, rel=1e-8)


def test_later_rounds_continue_the_sequence(run: RunFolder[Path], campaign: Campaign) -> None:
    choose_round(run, campaign, 0, None)
    choose_round(run, campaign, 1, 15)
    choose_round(run, campaign, 2, 30)
    rounds = [read_round(run, number) for number in range(3)]
    assert [later.sobol_start for later in rounds[1:]] == [r.sobol_stop for r in rounds[:-1]]
    assert [len(r.point) for r in rounds] == [80, 15, 30]
    assert not rounds[1].is_test.any()
    whole = draw(campaign, TRAIN, 0, 60 + 15 + 30)
    parts = [r.parameters[~r.is_test] for r in rounds]
    assert np.array_equal(np.vstack(parts), whole.parameters)


def test_choosing_twice_changes_nothing(run: RunFolder[Path], campaign: Campaign) -> None:
    first = choose_round(run, campaign, 0, None)
    before = run.design(0).stat().st_mtime_ns
    assert choose_round(run, campaign, 0, None) == first
    assert run.design(0).stat().st_mtime_ns == before


def test_a_round_is_the_same_bytes_again(
    tmp_path: Path, run: RunFolder[Path], campaign: Campaign
) -> None:
    other = RunFolder(tmp_path / "other")
    one, two = (choose_round(where, campaign, 0, None) for where in (run, other))
    assert one.files == two.files


def test_columns_follow_the_order_of_targets(run: RunFolder[Path], campaign: Campaign) -> None:
    names = list(campaign.targets.values())
    mixed = {f"MP{i + 1}": name for i, name in enumerate(reversed(names))}
    reverse = campaign.model_copy(update={"targets": mixed})
    plain = draw(campaign, TRAIN, 0, 5).parameters
    assert np.array_equal(draw(reverse, TRAIN, 0, 5).parameters, plain[:, ::-1])


def test_a_later_round_must_say_how_many(run: RunFolder[Path], campaign: Campaign) -> None:
    choose_round(run, campaign, 0, None)
    with pytest.raises(MissingRecords, match="--records"):
        choose_round(run, campaign, 1, None)


def test_a_later_round_needs_the_one_before(run: RunFolder[Path], campaign: Campaign) -> None:
    with pytest.raises(CorruptFile, match="round-000"):
        choose_round(run, campaign, 1, 5)


def test_an_altered_round_is_not_continued(run: RunFolder[Path], campaign: Campaign) -> None:
    choose_round(run, campaign, 0, None)
    run.design(0).write_bytes(run.design(0).read_bytes()[:-1])
    assert manifest_of(run.design(0)).exists()
    with pytest.raises(CorruptFile, match="bytes"):
        choose_round(run, campaign, 1, 5)


def test_a_box_without_materials_is_refused(campaign: Campaign) -> None:
    box = campaign.design.box.model_copy(
        update={"r_value_0": (40.0, 50.0), "r_value_90": (0.01, 0.02)}
    )
    design = campaign.design.model_copy(update={"box": box})
    with pytest.raises(EmptyBox, match=r"design\.box"):
        draw(campaign.model_copy(update={"design": design}), TRAIN, 0, 10)
