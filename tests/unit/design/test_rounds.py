"""Rounds: exact counts, one sequence over all rounds, an independent test set, honest rejects."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.design.errors import EmptyBox, MissingRecords
from hpc_jobs.design.mechanical import axes, draw, in_box, parameters_of, places_of
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.design.sobol import TEST, TRAIN, sobol_points
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.yield_locus import biaxial, mechanical_values, r_value, yield_stress
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.records.shards import Assignment, solve_shard

DEMO = Path(__file__).parents[3] / "dags" / "campaigns" / "single_sheet.yaml"


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
    unit = sobol_points(campaign.design.seed, TRAIN, len(axes(campaign)), 0, drawn.stop)
    parameters, reasons = parameters_of(campaign, in_box(campaign, unit))
    accepted = [row for row, reason in enumerate(reasons) if not reason]
    assert np.array_equal(parameters[accepted], drawn.parameters)
    for row, tests in zip(drawn.parameters, in_box(campaign, unit[accepted]), strict=True):
        material = Yld2000(row[list(campaign.columns)], 6)
        sigma_b, r_b = biaxial(material)
        found = (*yield_stress(material, [45, 90]), sigma_b, *r_value(material, [0, 45, 90]), r_b)
        assert found == pytest.approx(tests, rel=1e-8)
    assert places_of(campaign, drawn.parameters) == pytest.approx(unit[accepted], abs=1e-6)


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


@pytest.mark.parametrize(("family", "exponent"), [("barlat89", 6.5), ("hill48", 2)])
def test_a_campaign_of_another_yield_function_runs(
    tmp_path: Path, family: str, exponent: float
) -> None:
    """From its file's words to a shard of records: targets are r-values, drawn in the box."""
    document = yaml.safe_load(DEMO.read_text()) | {
        "targets": {"MP1": "r90", "MP2": "r0", "MP3": "r45"},
        "solver": "reference",
        "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 2},
        "design": {
            "box": {"r_value_0": [0.7, 1.4], "r_value_45": [0.8, 1.5], "r_value_90": [0.7, 1.4]},
            "train_records": 8, "test_records": 8, "records_per_shard": 3,
        },
    }  # fmt: skip
    document["material"] |= {"yield_function": family, "exponent": exponent}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(document))
    campaign = load(Campaign, tmp_path / "other.yaml")
    run = RunFolder(tmp_path)
    choose_round(run, campaign, 0, None)
    chosen = read_round(run, 0)
    for r90, r0, r45 in chosen.parameters:
        values = mechanical_values(MATERIALS[family]((r0, r45, r90), exponent))
        assert [values[f"r_value_{angle}"] for angle in (0, 45, 90)] == pytest.approx(
            [r0, r45, r90]
        )
        for name, value in values.items():
            low, high = getattr(campaign.design.box, name)
            assert low - 1e-9 <= value <= high + 1e-9
    frozen = FrozenCampaign(run_id="run", campaign=campaign, code_sha256="0" * 64)
    work = Assignment(
        round=0, index=0, parameters=chosen.parameters[:3], is_test=chosen.is_test[:3],
        sheet=chosen.sheet[:3], point=chosen.point[:3], level=chosen.level[:3],
    )  # fmt: skip
    assert solve_shard(run, frozen, work, lambda *_: None).facts["by_status"] == {"ok": 3}


def test_a_derived_stress_ratio_outside_the_box_is_passed_over(campaign: Campaign) -> None:
    """Hill's r_b is r0/r90: a box that excludes it excludes the sheet, and says so."""
    sheet = campaign.sheet.model_copy(update={"yield_function": "hill48", "exponent": 2.0})
    targets = {"MP1": "r0", "MP2": "r45", "MP3": "r90"}
    box = campaign.design.box.model_copy(update={"r_value_biaxial": (0.9, 1.1)})
    design = campaign.design.model_copy(update={"box": box})
    hill = campaign.model_copy(update={"sheet": sheet, "targets": targets, "design": design})
    drawn = draw(hill, TRAIN, 0, 20)
    assert drawn.rejected["outside_box"] > 0
    assert np.all(np.abs(drawn.parameters[:, 0] / drawn.parameters[:, 2] - 1) < 0.1 + 1e-9)
