"""`qstat -f` as OpenPBS 23.06 prints it: attributes a line each, long ones folded by a tab."""

from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 79


def as_text(jobs: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe jobs, given as the JSON of the same command has them."""
    return "".join(
        f"Job Id: {job_id}\n{''.join(map(_folded, _lines(attributes)))}\n"
        for job_id, attributes in jobs.items()
    )


def _lines(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name, value in attributes.items():
        if name == "Variable_List":
            yield f"    {name} = {','.join(f'{key}={each}' for key, each in value.items())}"
        elif isinstance(value, Mapping):
            for part, each in value.items():
                yield f"    {name}.{part} = {each}"
        else:
            yield f"    {name} = {value}"


def _folded(line: str) -> str:
    parts = [line[:WIDTH]]
    rest = line[WIDTH:]
    while rest:
        parts.append(rest[: WIDTH - 8])
        rest = rest[WIDTH - 8 :]
    return "\n\t".join(parts) + "\n"
