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

    from hpc_jobs.learning.models.trained_model import TrainedModel


class YieldParameters(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Raw strains (B, strain_values) -> physical targets (B, targets).

    A network that takes forces is asked with both by name: {"strains": ..., "forces": ...}.
    """

    model: TrainedModel

    def load_context(self, context: Any) -> None:
        """Verify and load the model folder that was logged as the artifact `model`."""
        from hpc_jobs.learning.models.trained_model import load_model

        self.model = load_model(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: Any, params: Any = None) -> NDArray[np.float64]:
        """Identify; a wrong shape or a value that is not finite raises BadInput."""
        if isinstance(model_input, dict):
            return self.model.predict(model_input["strains"], model_input.get("forces"))
        return self.model.predict(model_input)


set_model(YieldParameters())
