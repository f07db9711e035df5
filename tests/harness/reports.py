"""A campaign's result, as the page and the terminal are given it."""

from typing import Any

from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.facts import Facts, ScoreFacts
from hpc_jobs.contract.report import (
    ArrayReport,
    CampaignReport,
    ErrorsByTarget,
    GateReport,
    NetworkErrors,
    UsageReport,
)
from hpc_jobs.contract.speedup import Lookups, Updating
from hpc_jobs.contract.validation import Judgement, Limits, Verdict

MEAN = ErrorsByTarget(sum=0.2, per_target={"MP1": 0.1, "MP2": 0.1})
RIDGE = ErrorsByTarget(sum=0.005, per_target={"MP1": 0.001, "MP2": 0.004})
CNN = NetworkErrors(
    sum=0.010,
    per_target={"MP1": 0.004, "MP2": 0.006},
    baselines={"mean": MEAN, "pca_ridge": RIDGE},
)
MLP = NetworkErrors(sum=0.004, per_target={"MP1": 0.002, "MP2": 0.002}, baselines={"mean": MEAN})
VERDICT = Verdict(
    validation="v1",
    model="t1-mlp",
    limits=Limits(),
    measurements={
        "dp780": Judgement(
            verdict="pass",
            quantities={"r_value_0": (0.781, 0.8)},
            intervals={"r_value_0": (0.751, 0.811)},
            novelty=0.5,
            novelty_limit=1.0,
        ),
        "aa2090": Judgement(
            verdict="outside",
            quantities={"r_value_0": (None, 0.21)},
            novelty=2.0,
            novelty_limit=1.0,
        ),
    },
    refined={
        "dp780": Judgement(
            verdict="fail",
            quantities={"r_value_0": (0.792, 0.8)},
            intervals={"r_value_0": (0.771, 0.813)},
            novelty=1.0,
            novelty_limit=1.0,
        ),
    },
    passed=True,
    notes={"aa2090": "outside the <trained> range [r_value_0]"},
    updating=Updating(measurement="dp780", parameters={}, simulations=200, seconds=10.0),
)
SCORE = ScoreFacts(
    verdict=VERDICT,
    lookups=Lookups(network_s=0.1, refinement_s=20.0, surrogate_s=1e-4, fit_s=2.0),
)
GATE = GateReport(
    promoted=False,
    reason="not promoted: [it] failed",
    model="t1-mlp",
    validation="v1",
    registered_model="demo-material-identifier",
    version="1",
    champion_before=None,
    test_error=0.004,
    mean_baseline=0.2,
)
REPORT = CampaignReport(
    run_id="demo-20261120",
    campaign="demo",
    mlflow_run_id="0",
    records_by_status={"ok": 1190, "newton": 0, "necked": 10},
    networks={"multitask_cnn": CNN, "mlp": MLP},
    verdict=VERDICT,
    gate=GATE,
)


def array_report(job: Job, facts: Facts | None = None, **changes: Any) -> ArrayReport:
    """What an array job of one element returns, of 0.005 core-hours unless said otherwise."""
    report = ArrayReport(
        job=job,
        token=f"{job.replace('_', '-')}-abc",
        job_ids=("1",),
        elements=1,
        done=1,
        failed=0,
        failures={},
        wall_s=90.0,
        cpu_hours=0.005,
        gpu_hours=0.0,
        usage=UsageReport(tries=1, core_hours=1.0, run_s=50.0),
        facts=facts.model_dump(mode="json") if facts else {},
    )
    return report.model_copy(update=changes)
