"""The rehearsal's solver: records like any others in form, and known for what they are."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.dataset.shards import Derived
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.backends import rehearsal
from hpc_jobs.fem.records.shards import Assignment, solve_shard

ROOT = Path(__file__).parents[3]
CAMPAIGNS = ("dags/campaigns/single_sheet.yaml", "benchmarks/family.yaml")
TIMES = {"timing": {"peak_share": 0.97}, "output_times": 6}
FEW = {"train_records": 400, "test_records": 30, "records_per_shard": 300}


def campaign_of(name: str, **changes: object) -> Campaign:
    return load(Campaign, ROOT / name, {"solver": "rehearsal", "design": FEW, **changes})


def solve(folder: Path, campaign: Campaign) -> RunFolder[Path]:
    run = RunFolder(folder)
    frozen = FrozenCampaign(run_id="rehearsed", campaign=campaign, code_sha256="ab" * 32)
    choose_round(run, campaign, 0, None)
    points, size = read_round(run, 0), campaign.design.records_per_shard
    for index in range(campaign.design.shards()):
        rows = slice(index * size, (index + 1) * size)
        work = Assignment(
            round=0,
            index=index,
            parameters=points.parameters[rows],
            sheet=points.sheet[rows],
            is_test=points.is_test[rows],
            point=points.point[rows],
            level=points.level[rows],
        )
        solve_shard(run, frozen, work, lambda done, total: None)
    return run


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_record_is_a_function_of_its_sheet_alone(name: str) -> None:
    campaign = campaign_of(name, specimens=TIMES)
    points, family = draw(campaign, 0, 0, 40), campaign.family
    firsts = []
    for row, values in zip(points.parameters, points.sheet.tolist(), strict=True):
        material, specimens = family.material_of(values), campaign.specimens
        asked = family.specimens_of(values, specimens)
        one, other = (rehearsal.simulate(row, material, asked) for _ in range(2))
        assert one.status == other.status
        if one.status != "ok":
            continue
        assert np.array_equal(one.strains, other.strains)
        assert np.array_equal(one.forces, other.forces)
        along, across = one.strains.reshape(specimens.strain_shape)
        assert np.all(along > 0) and np.all(across < 0)
        assert np.all(np.diff(along, axis=-1) > 0)
        times = one.displacements.reshape(specimens.force_shape)
        assert np.all(np.diff(times, axis=-1) > 0)
        assert times.max() <= specimens.end_displacement_mm
        firsts.append(one.strains)
    assert len(firsts) > 30
    assert np.linalg.matrix_rank(np.array(firsts)) > 15  # there is something to learn


def test_some_sheets_fail_as_in_every_campaign() -> None:
    campaign = campaign_of("dags/campaigns/single_sheet.yaml")
    rows = np.random.default_rng(1).normal(1, 0.1, (4 * rehearsal.FAILING, 8))
    found = Counter(
        rehearsal.simulate(row, campaign.material, campaign.specimens).status for row in rows
    )
    assert set(found) == {"ok", "min_step"}
    assert found["min_step"] < 20


def test_what_is_no_sheet_is_rejected() -> None:
    campaign = campaign_of("dags/campaigns/single_sheet.yaml")
    parameters = np.array([np.nan, *np.ones(7)])
    record = rehearsal.simulate(parameters, campaign.material, campaign.specimens)
    assert record.status == "rejected_material"
    assert np.isnan(record.strains).all()


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_shards_and_dataset_say_what_they_are(name: str, tmp_path: Path) -> None:
    campaign = campaign_of(name)
    run = solve(tmp_path, campaign)
    publish_dataset(run, campaign, Derived())
    facts = open_dataset(run, 0.1).facts
    assert facts.provenance == "rehearsal"
    assert facts.train + facts.test + facts.by_status.get("min_step", 0) == campaign.design.records


def test_a_rehearsal_and_simulations_are_never_mixed(tmp_path: Path) -> None:
    campaign = campaign_of("dags/campaigns/single_sheet.yaml")
    run = solve(tmp_path, campaign)
    real = campaign.model_copy(update={"solver": "native"})
    with pytest.raises(CorruptFile, match="of a rehearsal, the campaign's solver 'native'"):
        publish_dataset(run, real, Derived())
