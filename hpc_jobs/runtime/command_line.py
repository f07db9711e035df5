"""A tool's command line: an option that is given twice is a mistake, not a choice of the last."""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hpc_jobs.contract.errors import BadInput


class CommandLine(argparse.ArgumentParser):
    """An ArgumentParser that refuses an option with a value that was given already."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.given: set[str] = set()
        self.register("action", None, _Once)
        self.register("action", "store", _Once)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse anew, as parse_args does."""
        self.given.clear()
        return super().parse_known_args(args, namespace)


class _Once(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep a value; a second one of an option ends the program."""
        if isinstance(parser, CommandLine) and option_string is not None:
            if self.dest in parser.given:
                before = getattr(namespace, self.dest)
                raise argparse.ArgumentError(
                    self, f"given twice, as {_shown(before)} and {_shown(values)}; keep one of both"
                )
            parser.given.add(self.dest)
        setattr(namespace, self.dest, values)


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def refuse_twice(option: str, names: Iterable[str]) -> None:
    """Raise BadInput for a name that an option, which may be repeated, was given twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise BadInput(f"{option}: {', '.join(twice)} is given twice; keep one value of each")
