"""A DAG run's tasks as pages are given them, and what they handed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a DAG run, as Airflow's database has it."""

    task_id: str
    state: str | None
    seconds: float | None = None
    returned: Any = None
    progress: Any = None
    """what an array job, or who follows one, said last of how far it is"""
    cause: str = ""
    """why it failed, in its own words"""


def first_of(model: type[Model], returned: Sequence[Any]) -> Model | None:
    """Return the first of some values that a model takes; None where it takes none."""
    for value in returned:
        try:
            return model.model_validate(value)
        except ValidationError:
            continue
    return None
