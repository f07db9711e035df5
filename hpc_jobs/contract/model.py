"""What a trained network's manifest says beside its files: all that the control host decides by.

models/<name>/manifest.json, of kind "model", vouches for the network's files; its facts are below.
Errors are mean squared errors in units of the frozen target ranges (0 lowest, 1 highest training
value of the first generation); a network's one figure is their sum over the targets.
"""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from hpc_jobs.contract.frozen import Frozen, Slug
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.solver import Provenance

Errors = Annotated[dict[str, float], Field(min_length=1, description="target -> error")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ModelFacts(Frozen):
    """The facts of a manifest of kind "model"; it may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    network: Annotated[Slug, Field(description="its name in training.networks")]
    targets: Annotated[tuple[str, ...], Field(min_length=1, description="order of the outputs")]
    strain_values: Annotated[int, Field(ge=1, description="length of one input")]
    provenance: Annotated[Provenance, Field(description="of the records that it learned from")] = (
        "simulation"
    )
    dataset_sha256: Annotated[Sha256, Field(description="of dataset/manifest.json")]
    test_set_sha256: Annotated[
        Sha256, Field(description="of test records, their noise and the target ranges")
    ]
    validation_errors: Annotated[Errors, Field(description="on the split that chose the network")]
    test_errors: Annotated[Errors, Field(description="on the off-grid test set")]
    baselines: Annotated[
        dict[str, Errors],
        Field(description="mean, pca_ridge, ...: errors on the same test set"),
    ]

    @model_validator(mode="after")
    def _mean_is_there(self) -> Self:
        if "mean" not in self.baselines:
            raise ValueError("baselines has no 'mean'; the gate compares with it")
        return self

    @property
    def validation_error(self) -> float:
        """Sum over the targets: networks of one training are chosen by it."""
        return sum(self.validation_errors.values())

    @property
    def test_error(self) -> float:
        """Sum over the targets: the gate decides by it."""
        return sum(self.test_errors.values())

    def baseline(self, name: str) -> float:
        """Sum over the targets of one baseline's errors."""
        return sum(self.baselines[name].values())


def model_facts(manifest: Manifest) -> ModelFacts:
    """Return the facts of a model's manifest, typed."""
    return ModelFacts.model_validate(manifest.facts)
