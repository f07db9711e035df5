"""What MLflow and the control host hear of a model, however it was made."""

import os
from pathlib import Path

from hpc_jobs.contract.facts import TrainedFacts
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.learning.evaluation.worst_cases import WORST
from hpc_jobs.learning.models.inverse_model import CARD, METRICS
from hpc_jobs.learning.training.completion import Trained
from hpc_jobs.runtime.element import Element
from hpc_jobs.tracking.spool import Spool


def open_spool(
    element: Element, name: str, network: NetworkSpec, *, stage: str, ranks: int = 1, leads: bool
) -> Spool:
    """Open the spool of a model; what ranks other than the leader say is not kept."""
    tags = {
        "stage": stage,
        "network": network.kind,
        "members": str(network.members),
        "campaign": element.campaign.name,
        "run_id": element.frozen.run_id,
        "code_sha256": element.frozen.code_sha256,
        "job_id": element.job_id,
        "ranks": str(ranks),
    }
    path = element.spool_file(name) if leads else Path(os.devnull)
    return Spool(path, name=name, tags=tags)


def log_model(spool: Spool, element: Element, trained: Trained) -> None:
    """Say how the model did, and name its files."""
    card, report = trained.card, trained.report
    spool.metrics(_metrics(trained), card.best_epoch or 0)
    spool.tags(
        {
            "dataset_sha256": card.dataset_sha256,
            "loses_to": ", ".join(report.loses_to) or "no baseline",
        }
    )
    folder, root = element.run.model(card.name), element.run.root
    for figure in sorted((folder / "figures").glob("*.png")):
        spool.artifact(figure.relative_to(root).as_posix(), "figures")
    for file in (CARD, METRICS, WORST):
        spool.artifact((folder / file).relative_to(root).as_posix(), "model")


def facts_of(trained: Trained) -> TrainedFacts:
    """Return what the job's result says."""
    card, report = trained.card, trained.report
    return TrainedFacts(
        model=card.name,
        network=card.network.name,
        test_sum_mse=report.network.sum_mse,
        test_mse={target: errors.mse for target, errors in report.network.targets.items()},
        coverage={target: one.share for target, one in report.coverage.targets.items()},
        baselines={name: errors.sum_mse for name, errors in report.baselines.items()},
        loses_to=report.loses_to,
        validation_loss=card.validation_loss,
        best_epoch=card.best_epoch,
    )


def _metrics(trained: Trained) -> dict[str, float]:
    report = trained.report
    metrics = {"test/sum_mse": report.network.sum_mse, "test/mean_mse": report.network.mean_mse}
    metrics |= {
        f"test_baseline/{name}": errors.sum_mse for name, errors in report.baselines.items()
    }
    for target, errors in report.network.targets.items():
        prefix, covered = f"test_{target.lower()}", report.coverage.targets[target]
        metrics |= {f"{prefix}/{name}": value for name, value in errors.model_dump().items()}
        metrics |= {f"{prefix}/coverage": covered.share, f"{prefix}/width": covered.width}
        for region, part in covered.regions.items():
            metrics[f"{prefix}/coverage_{region}"] = part.share
    return metrics
