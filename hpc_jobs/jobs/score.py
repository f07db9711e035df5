"""Judge a network by the measurements: verdict.json, one figure each, and a tracking spool."""

import argparse
from collections.abc import Sequence
from typing import Any

from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.validation import Estimates, Verdict
from hpc_jobs.inverse.field import read_field
from hpc_jobs.inverse.figures import draw_case
from hpc_jobs.inverse.measurement import read_for
from hpc_jobs.inverse.score import Case, score, verdict
from hpc_jobs.jobs import element
from hpc_jobs.tracking.spool import Spool


def work(job: element.Element) -> dict[str, Any]:
    """Compare, judge, draw."""
    name = job.arguments.validation
    estimates = read_model(Estimates, job.run.estimates(name))
    cases = []
    for estimate in estimates.estimates:
        measurement = read_for(job.campaign, job.run.measurement(estimate.measurement))
        field = read_field(job.run.field(name, estimate.measurement), estimate)
        cases.append(score(job.campaign, measurement, field))
        draw_case(job.run.figure(name, estimate.measurement), job.campaign, cases[-1])
        job.progress(len(cases), len(estimates.estimates), "measurements")
    result = verdict(job.campaign, estimates, cases)
    publish_model(job.run.verdict(name), result)
    _track(job, result, cases)
    return {
        "passed": result.passed,
        "verdicts": {key: each.verdict for key, each in result.measurements.items()},
        "quantities": {key: each.quantities for key, each in result.measurements.items()},
        "notes": result.notes,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which validation."""
    parser.add_argument("--validation", required=True, help="name of the validation")


def _track(job: element.Element, result: Verdict, cases: Sequence[Case]) -> None:
    name = f"validation-{result.validation}"
    tags = {"model": result.model, "passed": str(result.passed).lower()}
    with Spool(job.spool / f"{name}.jsonl", name=name, tags=tags) as spool:
        spool.params(result.limits.model_dump())
        spool.metrics(_metrics(result), step=0)
        spool.artifact(str(job.run.verdict(result.validation).relative_to(job.run.root)), "gate")
        for case in cases:
            figure = job.run.figure(result.validation, case.measurement.name)
            spool.artifact(str(figure.relative_to(job.run.root)), "figures")
        spool.end("FINISHED")


def _metrics(result: Verdict) -> dict[str, float]:
    metrics = {"gate/passed": float(result.passed)}
    for name, judgement in result.measurements.items():
        metrics[f"gate/{name}/failed"] = float(judgement.verdict == "fail")
        metrics[f"gate/{name}/outside"] = float(judgement.verdict == "outside")
        metrics[f"gate/{name}/novelty"] = judgement.novelty / judgement.novelty_limit
        for error, value in judgement.errors.items():
            metrics[f"gate/{name}/{error}"] = value
        for quantity, (found, true) in judgement.quantities.items():
            if found is not None and true is not None:
                metrics[f"gate/{name}/{quantity}_error"] = found - true
    return metrics


if __name__ == "__main__":
    element.main(work, arguments)
