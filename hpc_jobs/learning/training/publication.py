"""A trained network becomes files: weights, card, metrics, example, and what is decided by."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.records import publish, publish_manifest, publish_model
from hpc_jobs.contract.solver import Provenance
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.learning.evaluation.metrics import Errors
from hpc_jobs.learning.evaluation.test_set import TestReport
from hpc_jobs.learning.models.inverse_model import (
    CARD,
    EXAMPLE,
    METRICS,
    WEIGHTS,
    InverseModel,
    ModelCard,
)


def publish_network(
    folder: Path,
    model: InverseModel,
    card: ModelCard,
    facts: ModelFacts,
    verdict: TestReport,
    validation: Examples,
    others: list[Path],
) -> None:
    """Write a model's folder; its manifest, last, makes it a model.

    others: figures and tables that lie there already.
    """
    with publish(folder / WEIGHTS) as temporary:
        torch.save({key: value.cpu() for key, value in model.state_dict().items()}, temporary)
    with publish(folder / EXAMPLE) as temporary:
        temporary.write_text(json.dumps(_example(validation, card)))
    publish_model(folder / CARD, card)
    publish_model(folder / METRICS, verdict)
    files = [folder / name for name in (WEIGHTS, CARD, METRICS, EXAMPLE)] + others
    publish_manifest(
        folder / "manifest.json",
        "model",
        files,
        name=card.name,
        **facts.model_dump(mode="json"),
        loses_to=list(verdict.loses_to),
    )


def _example(examples: Examples, card: ModelCard) -> Any:
    """Two records as a served model takes them under `inputs`: by name if there are several."""
    names = ["strains"]
    names += ["forces"] if card.network.forces else []
    names += ["known"] if card.given.names or card.given.displacements else []
    named = {name: getattr(examples, name)[:2].astype(np.float64).tolist() for name in names}
    return named if names[1:] else named["strains"]


def facts_of(
    card: ModelCard,
    validation_mse: Sequence[float],
    verdict: TestReport,
    test: Examples,
    provenance: Provenance,
) -> ModelFacts:
    """Put together what the control host decides by."""
    targets = card.scaler.targets

    def mse(errors: Errors) -> dict[str, float]:
        return {target: errors.targets[target].mse for target in targets}

    test_set = hashlib.sha256()
    for values in (test.strains, test.forces, test.scaled):
        test_set.update(np.ascontiguousarray(values).data)
    return ModelFacts(
        network=card.network.name,
        targets=targets,
        strain_values=test.strains.shape[1],
        provenance=provenance,
        dataset_sha256=card.dataset_sha256,
        test_set_sha256=test_set.hexdigest(),
        validation_errors=dict(zip(targets, validation_mse, strict=True)),
        test_errors=mse(verdict.network),
        baselines={name: mse(errors) for name, errors in verdict.baselines.items()},
    )
