"""YAML in, validated models out; what is wrong is said by key, value and remedy."""

import codecs
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.strict_yaml import read_yaml

Model = TypeVar("Model", bound=BaseModel)

_REMEDIES = {
    "extra_forbidden": "remove it{guess}",
    "missing": "add it",
    "greater_than": "give a number greater than {gt}",
    "greater_than_equal": "give a number of at least {ge}",
    "less_than": "give a number less than {lt}",
    "less_than_equal": "give a number of at most {le}",
    "literal_error": "choose {expected}",
    "union_tag_invalid": "choose one of {expected_tags}",
    "union_tag_not_found": "add {discriminator}",
    "implausible": "{remedy}",
    "finite_number": "give a finite number",
    "multiple_of": "give a multiple of {multiple_of}",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "string_pattern_mismatch": "match {pattern}",
}


def load(model: type[Model], path: Path, overrides: Mapping[str, Any] | None = None) -> Model:
    """Read one YAML file into `model`, with overrides (a nested mapping) laid over it.

    Raises ConfigurationError, which lists everything that is wrong at once.
    """
    return parse(model, merge(document_of(path), overrides or {}), source=path.name)


def document_of(path: Path) -> dict[str, Any]:
    """Read one YAML file's keys and values as they stand; raises ConfigurationError."""
    text = _text(path)
    try:
        document = read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name}: not valid YAML: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path.name}: expected keys and values, found {document!r}")
    return document


def _text(path: Path) -> str:
    """Read a text file as UTF-8, or as UTF-16 with its mark; raises ConfigurationError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        known = sorted(other.stem for other in path.parent.glob("*.yaml"))
        raise ConfigurationError(
            f"{path.name}: no such file in {path.parent}; there are: {', '.join(known) or 'none'}"
        ) from None
    except IsADirectoryError:
        known = sorted(other.name for other in path.glob("*.yaml"))
        raise ConfigurationError(
            f"{path}: a folder, not a YAML file; in it there are: {', '.join(known) or 'none'}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from None
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path.name}: line {line} is not UTF-8 text; save the file as UTF-8"
        ) from None


def parse(model: type[Model], document: Mapping[str, Any], source: str) -> Model:
    """Validate a mapping into `model`; raises ConfigurationError with one line per mistake."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [_explain(model, document, details) for details in error.errors()]
        raise ConfigurationError("\n".join(f"{source}: {line}" for line in lines)) from None


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested mapping over another; mappings merge, all else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(cast(Mapping[str, Any], below), value) if both else value
    return merged


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return {"a": {"b": value}} for the key "a.b", to be merged over a document."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return cast(dict[str, Any], value)


def _explain(model: type[BaseModel], document: Any, details: ErrorDetails) -> str:
    kind, context = details["type"], dict(details.get("ctx", {}))
    key = _key(document, details["loc"], missing=kind == "missing") or "the whole"
    if kind == "value_error":  # our own validators already name key, value and remedy
        message = details["msg"].removeprefix("Value error, ")
        return message if key == "the whole" else f"{key}: {message}"
    context["guess"] = _guess(model, details["loc"])
    remedy = _REMEDIES.get(kind, "").format(**context)
    value = "" if kind == "missing" else f" is {_short(details['input'])}"
    reason = re.sub(r"^Input should", "should", details["msg"])
    return f"{key}{value}: {reason}" + (f"; {remedy}" if remedy else "")


def _key(document: Any, location: Sequence[str | int], *, missing: bool) -> str:
    """Path of a mistake as its author wrote it: without the tags that unions put in between."""
    parts = []
    for position, part in enumerate(location):
        present = part in document if isinstance(document, Mapping) else isinstance(part, int)
        if present or (missing and position == len(location) - 1):
            parts.append(str(part))
        if present:
            document = document[part]
    return ".".join(parts)


def _guess(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """', did you mean ...' from the field names of all models below `model`."""
    names: set[str] = set()
    _collect(model.model_json_schema(), names)
    close = difflib.get_close_matches(str(location[-1]) if location else "", names, n=1)
    return f", or did you mean '{close[0]}'?" if close else ""


def _collect(schema: Any, names: set[str]) -> None:
    if isinstance(schema, Mapping):
        names.update(schema.get("properties", {}))
        for value in schema.values():
            _collect(value, names)
    elif isinstance(schema, list):
        for value in schema:
            _collect(value, names)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
