"""What a campaign will cost: scales with its records, follows the rates, says what is missing."""

import json
from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.costs import Costs, StepCosts, costs, disk_gib, shard_record_bytes
from hpc_jobs.contract.errors import BadInput, CorruptFile
from hpc_jobs.contract.execution import ON_GPU_CLUSTER
from hpc_jobs.contract.increments import FAMILY_FACTOR, increments, validation_increments
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.rates import (
    Rate,
    Rates,
    fitted_records,
    kept_rates,
    rates_of,
    with_simulations,
)
from hpc_jobs.contract.records import ElementResult, publish_model

DAGS = Path(__file__).parents[3] / "dags"
RECORDS = {"train_records": 9_700, "test_records": 300, "records_per_shard": 500}


def campaign_of(**changes: object) -> Campaign:
    path = Path(__file__).parents[3] / "benchmarks" / "family.yaml"
    return load(Campaign, path, {"design": RECORDS, **changes})


def step(planned: Costs, job: str) -> StepCosts:
    return next(step for step in planned.steps if step.job == job)


def test_simulations_cost_by_record_mesh_and_rate() -> None:
    campaign = campaign_of()
    rates = with_simulations(Rates(), campaign, 0.25, "here")
    planned = costs(campaign, rates)
    solving = step(planned, "solve_shard")
    starts = 20 * rates.start_s.value
    assert solving.elements == 20
    assert solving.core_hours == pytest.approx((10_000 * 0.25 + starts) / 3600)
    assert solving.element_s == pytest.approx(125 + rates.start_s.value)
    assert solving.measured and not step(planned, "train").measured
    finer = campaign_of(specimens={"mesh": "production"})
    more = step(costs(finer, rates), "solve_shard")
    elements = finer.specimens.mesh.elements / campaign.specimens.mesh.elements
    assert more.core_hours - starts / 3600 == pytest.approx(elements * 2500 / 3600)


def test_a_family_costs_more_than_one_sheet() -> None:
    family, single = campaign_of(), load(Campaign, DAGS / "campaigns" / "hlrs.yaml")
    assert not family.family.is_single_sheet
    steps = 10 * 3
    assert increments(family) == pytest.approx(288 * steps * FAMILY_FACTOR)
    if single.family.is_single_sheet:
        assert increments(single) == pytest.approx(960 * steps)


def test_fewer_cores_take_longer_and_cost_the_same() -> None:
    all_at_once, few = (costs(campaign_of(), cores=cores) for cores in (None, 3))
    assert few.core_hours == all_at_once.core_hours
    assert step(few, "solve_shard").at_once == 3
    assert step(few, "solve_shard").wall_s == pytest.approx(
        7 * step(all_at_once, "solve_shard").wall_s
    )


def identifying(**validation: object) -> float:
    campaign = campaign_of(validation={"measurements": ["one", "two"], **validation})
    rates = with_simulations(Rates(), campaign, 0.25, "here")
    return step(costs(campaign, rates), "identify").element_s


def test_identifying_costs_what_it_simulates() -> None:
    """By measurement, at the rate of a record on the campaign's mesh, and on the finer one."""
    none = identifying(refine=False)
    assert none == pytest.approx(Rates().element_s["identify"].value + Rates().start_s.value)
    sharpened = identifying(examine=False) - none
    assert sharpened == pytest.approx(2 * 60 * 0.25)
    assert identifying() - none - sharpened == pytest.approx(2 * 200 / 3 * 0.25)
    finer = identifying(examine=False, mesh_refinement=2) - none
    assert finer - sharpened == pytest.approx(2 * 2**2 * 4 * 0.25)
    many = [f"m{number}" for number in range(64)]
    assert identifying(examine=False, measurements=many) - none == pytest.approx(32 * sharpened)


def test_a_single_sheet_is_examined_again_on_its_own_mesh_bias() -> None:
    """As often as nuisances.own_mesh may, and simulated again on both meshes (resimulated)."""
    path = DAGS / "campaigns" / "single_sheet.yaml"
    asked = {"measurements": ["one", "two"], "mesh_refinement": 2}
    campaign = load(Campaign, path, {"validation": asked})
    once = increments(campaign)
    examined, again = 200 / 3, 2 * (1 + 16 + 200 / 3)
    for job, simulated in (("identify", 2 * (examined + again) + 17), ("resimulate", 2 + 16)):
        assert validation_increments(campaign, job) / once == pytest.approx(simulated)


def test_what_identifying_took_beside_its_simulations_is_measured(tmp_path: Path) -> None:
    campaign = campaign_of(validation={"measurements": ["one", "two"]})
    run = RunFolder(tmp_path)
    frozen = FrozenCampaign(run_id="first", campaign=campaign, code_sha256="ab" * 32)
    publish_model(run.campaign, frozen)
    leave(run, "solve_shard", [result(0, 100.0, facts={"records": 500})])
    leave(run, "identify", [result(0, 90.0)])
    rates = rates_of(run)
    simulated = validation_increments(campaign, "identify") * rates.increment_s.value
    assert rates.element_s["identify"].value == pytest.approx(90 - simulated)
    planned = step(costs(campaign, rates), "identify")
    assert planned.element_s == pytest.approx(90 + rates.start_s.value) and planned.measured


def test_what_the_file_asks_for_too_little_is_said() -> None:
    short = {"execution": {"resources": {"solve_shard": {"walltime_s": 60, "memory_mib": 1000}}}}
    slow = with_simulations(Rates(), campaign_of(), 1.0, "here")
    planned = step(costs(campaign_of(**short), slow), "solve_shard")
    assert "walltime_s 60 of 505 expected" in planned.shortage
    assert planned.asked.walltime_s >= 2 * planned.element_s
    given = {"walltime_s": planned.asked.walltime_s, "memory_mib": planned.asked.memory_mib}
    mended = campaign_of(execution={"resources": {"solve_shard": given}})
    assert step(costs(mended, slow), "solve_shard").shortage == ""


def test_a_cluster_says_nodes_and_queues() -> None:
    cluster = load(Cluster, DAGS / "clusters" / "hawk.yaml")
    planned = costs(campaign_of(), cpu=cluster)
    assert planned.nodes == 1  # 20 elements on nodes of 128 cores
    on_cpu = [one for one in planned.steps if one.job not in ON_GPU_CLUSTER]
    assert planned.waiting_s == len(on_cpu) * cluster.queue_wait_s


def test_disk_follows_the_records() -> None:
    campaign = campaign_of()
    twice = campaign_of(design={**RECORDS, "train_records": 2 * 9_700 + 300})
    one, two = disk_gib(campaign), disk_gib(twice)
    assert two["shards"] == pytest.approx(2 * one["shards"])
    assert one["shards"] == pytest.approx(10_000 * shard_record_bytes(campaign) / 2**30)


def leave(run: RunFolder[Path], job: str, results: list[ElementResult]) -> None:
    folder = run.job(job.replace("_", "-"))
    folder.results.mkdir(parents=True)
    folder.intent.write_text(json.dumps({"job": job}))
    for result in results:
        folder.result(result.element).write_text(result.model_dump_json())


def result(element: int, wall_s: float, **more: object) -> ElementResult:
    document = {"element": element, "outcome": "done", "job_id": "1", "host": "n1", "started": 1.0}
    return ElementResult.model_validate({**document, "wall_s": wall_s, "cpu_s": wall_s, **more})


def test_a_run_s_first_shards_are_enough(tmp_path: Path) -> None:
    campaign, run = campaign_of(), RunFolder(tmp_path)
    frozen = FrozenCampaign(run_id="first", campaign=campaign, code_sha256="ab" * 32)
    publish_model(run.campaign, frozen)
    with pytest.raises(BadInput, match="no element of the run has ended"):
        rates_of(run)
    shards = [result(e, 100.0, facts={"records": 500}, peak_mib=400.0) for e in (0, 3)]
    leave(run, "solve_shard", [*shards, result(4, 9.0, outcome="failed")])
    rates = rates_of(run)
    assert rates.increment_s == Rate(value=0.2 / increments(campaign), measured=True)
    assert not rates.epoch_s["mlp"].measured
    planned = costs(campaign, rates)
    assert step(planned, "solve_shard").element_s == pytest.approx(100 + rates.start_s.value)
    assert step(planned, "solve_shard").memory_mib == 400 and planned.rates == "run first"
    leave(run, "train", [result(0, 600.0)])
    epochs = campaign.training.epochs * fitted_records(campaign)
    assert rates_of(run).epoch_s["mlp"] == Rate(value=600 / epochs, measured=True)
    assert step(costs(campaign, rates_of(run)), "train").measured


def test_rates_lie_beside_a_cluster_s_file(tmp_path: Path) -> None:
    file = tmp_path / "hawk.yaml"
    assert kept_rates(file) is None
    kept = Rates(source="hawk", increment_s=Rate(value=1e-7, measured=True))
    (tmp_path / "hawk.rates.json").write_text(kept.model_dump_json())
    assert kept_rates(file) == kept
    (tmp_path / "hawk.rates.json").write_text('{"increment_s": 3}')
    with pytest.raises(BadInput, match=r"hawk.rates.json: no rates \(increment_s"):
        kept_rates(file)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile):
        rates_of(RunFolder(tmp_path))
