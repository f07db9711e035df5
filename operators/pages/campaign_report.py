"""The result of a campaign in one XCom: what the terminal prints and a person asks first."""

from collections.abc import Mapping
from typing import Any

from hpc_jobs.contract.run import RunHandle
from operators.pages.speedup import speedups


def campaign_report(
    run: RunHandle,
    dataset: Mapping[str, Any],
    networks: Mapping[str, Any],
    scored: Mapping[str, Any],
    decision: Mapping[str, Any],
    costs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Assemble the result from what the tasks returned; its size is that of the campaign file.

    dataset, scored: what the array jobs of `publish_dataset` and `score` returned.
    networks: test errors by network (operators.promotion.challenger). decision: the gate's.
    costs: what the array jobs that `solved` and `trained` returned; without them, no speedup.
    """
    facts = scored["facts"]
    return {
        "run_id": run.run_id,
        "campaign": run.campaign,
        "mlflow_run_id": run.mlflow_run_id,
        "records_by_status": dataset["facts"]["by_status"],
        "networks": dict(networks["networks"]),
        "alloys": {
            name: {
                "verdict": verdict,
                "quantities": facts["quantities"].get(name, {}),
                "intervals": facts.get("intervals", {}).get(name, {}),
                "note": facts["notes"].get(name, ""),
                "refined": facts.get("refined", {}).get(name),
            }
            for name, verdict in facts["verdicts"].items()
        },
        "gate": dict(decision),
        "speedup": costs
        and speedups(
            facts,
            int(dataset["facts"]["train"]),
            len(facts["verdicts"]),
            costs["solved"],
            costs["trained"],
        ),
    }
