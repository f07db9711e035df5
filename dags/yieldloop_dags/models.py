"""The edge between tasks: an XCom is JSON, what a task's function takes and returns are models."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, TypeAdapter


def takes_models(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a task's function take and return the contract's models, as its annotations say.

    Arguments annotated with a model (or with `Model | None`) are read from JSON; a returned model
    is written to it. What does not fit fails the task, naming the field.
    """
    hints = get_type_hints(function)
    readers = {
        name: TypeAdapter(hint)
        for name, hint in hints.items()
        if name != "return" and any(map(_is_model, (hint, *get_args(hint))))
    }

    @functools.wraps(function)
    def task(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs)
        for name in readers.keys() & given.arguments.keys():
            given.arguments[name] = readers[name].validate_python(given.arguments[name])
        answer = function(*given.args, **given.kwargs)
        return answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer

    return task


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)
