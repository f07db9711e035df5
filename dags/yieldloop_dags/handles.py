"""What a task hands over without drawing an edge to whoever takes it.

Nearly every task takes the run's handle. Airflow draws each XCom that is passed on as an edge of
the graph, which would then show who reads what instead of the experiment. The order is kept by the
edges that are left: a task must come after the one whose value it takes, be it over others
(tests/dags/test_graph.py looks).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.sdk import XComArg
from airflow.sdk.definitions._internal.mixins import DependencyMixin, ResolveMixin


class Unwired(ResolveMixin, DependencyMixin):
    """Stands for a task's return value, or a part of it: read at run time, no edge is drawn.

    `value["key"]` is a part, `value >> task` an edge where one is wanted.
    """

    def __init__(self, origin: XComArg) -> None:
        self.origin = origin

    def __getitem__(self, key: str) -> "Unwired":
        return Unwired(self.origin[key])

    def __iter__(self) -> Any:
        raise TypeError("what a task returns is not known yet, and cannot be gone through")

    def __str__(self) -> str:
        return str(self.origin)

    __repr__ = __str__  # a DAG's stored form must not hold addresses in memory

    @property
    def operator(self) -> Any:
        """The task that returns it."""
        [(operator, _)] = self.origin.iter_references()
        return operator

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Return none: these would become edges."""
        return ()

    def resolve(self, context: Any) -> Any:
        """Read it from Airflow when the task runs."""
        return self.origin.resolve(context)

    @property
    def roots(self) -> Iterable[DependencyMixin]:
        """The task that returns it."""
        return [self.operator]

    @property
    def leaves(self) -> Iterable[DependencyMixin]:
        """The task that returns it."""
        return [self.operator]

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Let its task come after others."""
        self.operator.set_upstream(other, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Let others come after its task."""
        self.operator.set_downstream(other, edge_modifier)


def unwired(value: Any) -> Any:
    """Take a task's value without its edge; may be given what is unwired already."""
    return Unwired(value) if isinstance(value, XComArg) else value


def taken(value: Any) -> Iterable[Any]:
    """Name the tasks whose values are taken without an edge, in lists and mappings, too."""
    if isinstance(value, Unwired):
        yield value.operator
    elif isinstance(value, dict):
        for each in value.values():
            yield from taken(each)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for each in value:
            yield from taken(each)
