"""A published network as an MLflow model, from code: no pickle crosses to whoever loads it.

MLflow executes this file when the model is logged, on a control host without torch, and again
when it is loaded; so everything heavy is imported in load_context. How to log one:
tracking/pyfunc.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
from mlflow.models import set_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from hpc_jobs.learning.models.answers import Answers
    from hpc_jobs.learning.models.trained_model import TrainedModel


class YieldParameters(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Raw strains (B, strain_values) -> physical targets (B, targets).

    A network that takes forces is asked by name, {"strains": ..., "forces": ...}; one of a family
    may be told what is known of given values: "known" (B, 2 given), values and then deviations.
    """

    model: TrainedModel

    def load_context(self, context: Any) -> None:
        """Verify and load the model folder that was logged as the artifact `model`."""
        from hpc_jobs.learning.models.trained_model import load_model

        self.model = load_model(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: Any, params: Any = None
    ) -> NDArray[np.float64] | DataFrame:
        """Identify; a wrong shape or a value that is not finite raises BadInput.

        A record unlike all training records is not answered: its row is NaN, with a warning. With
        params {"intervals": True} a table: of each target MP its answer MP and its interval MP_low
        to MP_high; then the novelty, and the reason where the row is NaN.
        """
        from hpc_jobs.learning.models.answers import answered

        fields = model_input if isinstance(model_input, dict) else {"strains": model_input}
        inputs = fields["strains"], fields.get("forces"), fields.get("known")
        answers = answered(self.model, *inputs)
        if params and params.get("intervals"):
            return _table(self.model.targets, answers)
        if any(answers.reasons):
            import warnings

            warnings.warn(answers.warning, stacklevel=2)
        return answers.values


def _table(targets: tuple[str, ...], answers: Answers) -> DataFrame:
    from pandas import DataFrame

    columns = {}
    for k, target in enumerate(targets):
        columns[target] = answers.values[:, k]
        columns[f"{target}_low"] = answers.low[:, k]
        columns[f"{target}_high"] = answers.high[:, k]
    return DataFrame(columns | {"novelty": answers.novelty, "reason": answers.reasons})


set_model(YieldParameters())
