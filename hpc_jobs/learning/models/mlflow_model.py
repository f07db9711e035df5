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

        With params {"intervals": True} a table: of each target MP its answer MP and its interval
        MP_low to MP_high; then the novelty, and whether the record is too novel to be believed.
        """
        fields = model_input if isinstance(model_input, dict) else {"strains": model_input}
        inputs = fields["strains"], fields.get("forces"), fields.get("known")
        if params and params.get("intervals"):
            return self._table(*inputs)
        return self.model.predict(*inputs)

    def _table(self, strains: Any, forces: Any, known: Any) -> DataFrame:
        from pandas import DataFrame

        model = self.model
        inputs = strains, forces, known
        answers, (low, high) = model.predict(*inputs), model.intervals(*inputs)
        columns = {}
        for k, target in enumerate(model.targets):
            columns[target] = answers[:, k]
            columns[f"{target}_low"], columns[f"{target}_high"] = low[:, k], high[:, k]
        novelty = model.novelty(strains)
        return DataFrame(columns | {"novelty": novelty, "novel": novelty > model.novelty_limit})


set_model(YieldParameters())
