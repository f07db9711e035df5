"""Which networks a hyper-parameter search tries: how many, how long, in which ranges.

Of every kind of network a search may vary some fields; all others are those of `fixed`. A trial is
one network, trained as any other; it is judged by its error on held-out off-grid records (the sum
over the targets, in min-max units) and by the samples/s that it identifies on the node.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from hpc_jobs.contract.frozen import Setting
from hpc_jobs.contract.training import Mlp, MultitaskCnn, Network

Number = TypeVar("Number", int, float)
Choice = TypeVar("Choice")


def _ordered(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if not low < high:
        raise ValueError(
            f"[{low}, {high}] is no range; give the lower bound first, or the one value under fixed"
        )
    return bounds


def _positive(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    if bounds[0] <= 0:
        raise ValueError(
            f"[{bounds[0]}, {bounds[1]}] is searched on a logarithmic scale; give a lower bound "
            "above 0"
        )
    return bounds


def _distinct(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    if len(set(choices)) < max(2, len(choices)):
        raise ValueError(
            f"{list(choices)}: give at least two choices, each once, or the one under fixed"
        )
    return choices


Choices = Annotated[tuple[Choice, ...], AfterValidator(_distinct)]
LINEAR, LOGARITHMIC = "linear", "logarithmic"
Bounds = Annotated[tuple[float, float], AfterValidator(_ordered), LINEAR]
LogBounds = Annotated[Bounds, AfterValidator(_positive), LOGARITHMIC]
Counts = Annotated[tuple[int, int], AfterValidator(_ordered), LINEAR]
LogCounts = Annotated[Counts, AfterValidator(_positive), LOGARITHMIC]
"""[lowest, highest]; whole numbers for the latter two."""
ScheduleKind = Literal["sine_wave", "cosine", "one_cycle"]


class KindSpace(Setting):
    """What is varied of one kind of network; a field that is left out stays as `fixed` says."""

    fixed: Network
    learning_rate: LogBounds | None = None
    weight_decay: LogBounds | None = None
    batch_size: Choices[int] | None = None
    schedule: Choices[ScheduleKind] | None = None

    @property
    def searched(self) -> dict[str, tuple[Any, ...]]:
        """Field -> its bounds or choices, of the fields that are varied."""
        names = (name for name in type(self).model_fields if name != "fixed")
        return {name: values for name in names if (values := getattr(self, name)) is not None}

    @classmethod
    def is_range(cls, field: str) -> bool:
        """Whether a field has bounds; else it has choices."""
        return bool({LINEAR, LOGARITHMIC} & set(_marks(cls, field)))

    @classmethod
    def is_logarithmic(cls, field: str) -> bool:
        """Whether a range is searched on a logarithmic scale."""
        return LOGARITHMIC in _marks(cls, field)

    def network(self, values: Mapping[str, Any], **pace: Any) -> Network:
        """Lay the searched fields' values over `fixed`; raises ValidationError."""
        described = self.fixed.model_dump() | self._fields(dict(values)) | pace
        return type(self.fixed)(**described)

    @property
    def corners(self) -> Iterator[Network]:
        """Networks at every bound and choice of each field, the other fields at their first."""
        first = {field: values[0] for field, values in self.searched.items()}
        for field, values in self.searched.items():
            for value in values:
                yield self.network(first | {field: value})

    def _fields(self, values: dict[str, Any]) -> dict[str, Any]:
        if "schedule" in values:
            values["schedule"] = {"kind": values["schedule"]}
        return values

    @model_validator(mode="after")
    def _search_something(self) -> Self:
        if not self.searched:
            fields = ", ".join(name for name in type(self).model_fields if name != "fixed")
            raise ValueError(f"nothing of it is searched; give a range for one of {fields}")
        return self

    @model_validator(mode="after")
    def _fixed_is_one_network(self) -> Self:
        for field, instead in (
            ("members", "a trial trains one network; leave it out"),
            ("epochs", "give search.epochs, or leave it out"),
            ("seed", "give search.seed, or leave it out"),
        ):
            value, default = (
                getattr(self.fixed, field),
                type(self.fixed).model_fields[field].default,
            )
            if value != default:
                raise ValueError(f"fixed.{field} is {value}; {instead}")
        return self

    @model_validator(mode="after")
    def _networks_take_it(self) -> Self:
        for field, values in self.searched.items():
            for value in values:
                try:
                    self.network({field: value})
                except ValidationError as error:
                    reason = error.errors()[0]["msg"].replace("Input should", "should")
                    raise ValueError(
                        f"{field} {list(values)} holds {value!r}, which no {self.fixed.kind} "
                        f"takes ({reason}); choose others"
                    ) from None
        return self


def _marks(space: type[KindSpace], field: str) -> tuple[Any, ...]:
    """Read the marks of a field's annotation, whose type is `X | None`."""
    annotation = space.model_fields[field].annotation
    return tuple(
        mark
        for part in getattr(annotation, "__args__", ())
        for mark in getattr(part, "__metadata__", ())
    )


def _of_kind(kind: str) -> BeforeValidator:
    """Let `fixed` leave out its kind: the key above it says that."""
    return BeforeValidator(
        lambda value: {"kind": kind, **value} if isinstance(value, dict) else value
    )


class MlpSpace(KindSpace):
    """Multilayer perceptrons whose `depth` hidden layers all have `width` units."""

    fixed: Annotated[Mlp, _of_kind("mlp")] = Mlp(kind="mlp")
    depth: Counts | None = None
    width: LogCounts | None = None
    components: LogCounts | None = None
    dropout: Bounds | None = None

    def _fields(self, values: dict[str, Any]) -> dict[str, Any]:
        fields = super()._fields(values)
        hidden = self.fixed.hidden
        if "depth" in fields or "width" in fields:
            depth, width = fields.pop("depth", len(hidden)), fields.pop("width", hidden[0])
            fields["hidden"] = (width,) * depth
        return fields


class MultitaskCnnSpace(KindSpace):
    """The paper's network and its neighbours."""

    fixed: Annotated[MultitaskCnn, _of_kind("multitask_cnn")] = MultitaskCnn(kind="multitask_cnn")
    components: LogCounts | None = None
    channels: LogCounts | None = None
    encoding: Choices[Literal["fields", "series", "patches"]] | None = None
    activation: Choices[Literal["relu", "silu"]] | None = None
    deep_heads: Choices[tuple[str, ...]] | None = None
    dropout: Bounds | None = None


class Space(Setting):
    """Kind of network -> what is varied of it; of several kinds each trial draws one."""

    mlp: MlpSpace | None = None
    multitask_cnn: MultitaskCnnSpace | None = None

    @property
    def kinds(self) -> dict[str, KindSpace]:
        """The kinds that are searched."""
        found = {kind: getattr(self, kind) for kind in type(self).model_fields}
        return {kind: space for kind, space in found.items() if space is not None}

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if not self.kinds:
            raise ValueError(
                f"no kind of network; give one of {', '.join(type(self).model_fields)}"
            )
        return self


class Search(Setting):
    """How a search goes: trials, then finalists over several seeds, then a test of the means."""

    trials: Annotated[int, Field(ge=1, le=100_000, description="that end with both objectives")]
    workers: Annotated[int, Field(ge=1, le=1000, description="array elements, a device each")] = 2
    epochs: Annotated[int, Field(ge=1, le=100_000, description="of a trial")]
    batch: Annotated[
        int, Field(ge=1, le=1_000_000, description="records at once where samples/s are measured")
    ] = 1024
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    finalists: Annotated[
        int, Field(ge=1, le=15, description="best of the Pareto front by their error")
    ] = 3
    seeds: Annotated[int, Field(ge=2, le=100, description="trainings of each finalist")] = 5
    space: Space

    @model_validator(mode="after")
    def _work_for_all(self) -> Self:
        if self.workers > self.trials:
            raise ValueError(
                f"workers is {self.workers}, more than trials, {self.trials}; give at most that"
            )
        return self

    @property
    def trainings(self) -> int:
        """Array elements of the finalists' trainings, the present network's among them."""
        return (self.finalists + 1) * self.seeds
