"""The result of a campaign, put together from what its tasks handed over."""

from hpc_jobs.contract.facts import PackedFacts, ScoreFacts
from hpc_jobs.contract.report import ArrayReport, CampaignReport, Challenger, GateReport
from hpc_jobs.contract.run import RunHandle
from operators.pages.speedup import speedup_report


def campaign_report(
    run: RunHandle,
    dataset: ArrayReport,
    challenger: Challenger,
    scored: ArrayReport,
    gate: GateReport,
    solved: ArrayReport,
    trained: ArrayReport,
) -> CampaignReport:
    """Assemble the result; its size is that of the campaign file.

    dataset, scored, solved, trained: what the array jobs of `publish_dataset`, `score`,
    `solve_shard` and `train` returned. Raises CorruptFile where one of them does not say what this
    version reads.
    """
    packed, score = dataset.read(PackedFacts), scored.read(ScoreFacts)
    return CampaignReport(
        run_id=run.run_id,
        campaign=run.campaign,
        mlflow_run_id=run.mlflow_run_id,
        records_by_status=packed.by_status,
        networks=challenger.networks,
        verdict=score.verdict,
        gate=gate,
        speedup=speedup_report(score, packed.train, solved.usage, trained.usage),
    )
