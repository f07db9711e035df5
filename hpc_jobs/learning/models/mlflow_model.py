"""A published network as an MLflow model, from code: no pickle crosses to whoever loads it.

MLflow executes this file when the model is logged, on a control host without torch, and again
when it is loaded; so everything heavy is imported in load_context. How to log one:
operators/tracking/packaging.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
from mlflow.models import set_model

NAMES = {"strain": "strains", "force": "forces"}
"""What people write, in any case, for what the network takes."""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from hpc_jobs.learning.models.answers import Answers
    from hpc_jobs.learning.models.trained_model import TrainedModel


class YieldParameters(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Raw strains (B, strain_values) -> physical targets (B, targets).

    Numbers of any type, as an array, a list or a table (pandas) of as many columns; a single record
    may come without its list. A network that takes forces is asked by name, {"strains": ...,
    "forces": ...}; one of a family is told what is known, too: "known"
    (B, 2 given + displacements), given values, their deviations, displacements of its output times
    in mm.
    """

    model: TrainedModel

    def load_context(self, context: Any) -> None:
        """Verify and load the model folder that was logged as the artifact `model`."""
        from hpc_jobs.learning.models.trained_model import load_model

        self.model = load_model(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: Any, params: Any = None
    ) -> NDArray[np.float64] | DataFrame:
        """Identify; an unknown name, a wrong shape or a value that is not finite raises BadInput.

        A record unlike all training records is not answered: its row is NaN, with a warning. With
        params {"intervals": True} a table: of each target MP its answer MP and its interval MP_low
        to MP_high; then the novelty, and the reason where the row is NaN.
        """
        from hpc_jobs.learning.models.answers import answered

        fields = _by_name(model_input)
        inputs = fields["strains"], fields.get("forces"), fields.get("known")
        answers = answered(self.model, *inputs)
        if params and params.get("intervals"):
            return _answer_table(self.model.targets, answers)
        if any(answers.reasons):
            import warnings

            warnings.warn(answers.warning, stacklevel=2)
        return answers.values


def _answer_table(targets: tuple[str, ...], answers: Answers) -> DataFrame:
    from pandas import DataFrame

    columns = {}
    for k, target in enumerate(targets):
        columns[target] = answers.values[:, k]
        columns[f"{target}_low"] = answers.low[:, k]
        columns[f"{target}_high"] = answers.high[:, k]
    return DataFrame(columns | {"novelty": answers.novelty, "reason": answers.reasons})


def _by_name(given: Any) -> dict[str, Any]:
    """Return strains, and forces and known if there are any, as tables; raises BadInput."""
    from pandas import DataFrame

    from hpc_jobs.contract.errors import BadInput

    named: dict[Any, Any] = {"strains": given}
    if isinstance(given, dict):
        named = given
    elif isinstance(given, DataFrame) and all(isinstance(name, str) for name in given.columns):
        written = {_name(name) for name in given.columns}
        if "strains" in written:  # a row is a record, a cell a list of its values
            named = {name: given[name].tolist() for name in given.columns}
    known, found = ("strains", "forces", "known"), dict[str, Any]()
    for name, values in named.items():
        if _name(name) not in known:
            raise BadInput(f"'{name}' is nothing that a network takes; give {', '.join(known)}")
        if _name(name) in found:
            raise BadInput(f"'{name}' is given twice, in two spellings; give it once")
        found[_name(name)] = values
    if found.get("strains") is None:
        raise BadInput(f"no strains among {', '.join(map(str, named)) or 'nothing'}; give strains")
    return {name: _table(values, name) for name, values in found.items() if values is not None}


def _name(written: Any) -> str:
    plain = str(written).strip().lower()
    return NAMES.get(plain, plain)


def _table(values: Any, name: str) -> Any:
    """Make a single record a table of one."""
    import numpy as np

    from hpc_jobs.contract.errors import BadInput

    if np.ma.is_masked(values):
        raise BadInput(f"{name} are masked in places; a value that was lost cannot be answered")
    try:
        table = np.asarray(values)
    except ValueError:
        raise BadInput(f"{name} are no table: rows differ in length; give equal rows") from None
    return table[None] if table.ndim == 1 and table.size else table


set_model(YieldParameters())
