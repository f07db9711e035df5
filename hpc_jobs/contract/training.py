"""How networks are trained on the records."""

from typing import Annotated, Literal

from pydantic import Field

from hpc_jobs.contract.frozen import Fraction, Plausible, Positive, Setting, Slug


class Noise(Setting):
    """Standard deviations of the measurement: the unit in which inputs are expressed."""

    strain: Annotated[
        Positive, Plausible(0, 0.02, "give the deviation of a patch's strain: 1e-5 to 2e-3")
    ] = 5e-4
    force_relative: Annotated[
        Positive, Plausible(0, 0.2, "give the deviation as a share of the force: .001 to .01")
    ] = 5e-3


class SineWave(Setting):
    """lr0 e^(-a t/T) (gamma sin(w t) + e^(-a t/T) + 0.5), clamped at 0; t of T global steps.

    w t is 2 pi b t/n with scan = epoch (n steps an epoch), b t/(2 pi n) with scan = literal.
    """

    kind: Literal["sine_wave"]
    decay: Annotated[float, Field(gt=0, le=100)] = 3.0
    waves: Annotated[float, Field(gt=0, le=1000)] = 1.0
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.5
    scan: Literal["epoch", "literal"] = "epoch"


class Cosine(Setting):
    """Half a cosine from the initial learning rate to zero."""

    kind: Literal["cosine"]


class OneCycle(Setting):
    """Up to the learning rate along half a cosine, then down to almost nothing along another."""

    kind: Literal["one_cycle"]
    warm_up: Annotated[Fraction, Field(gt=0, lt=1, description="share of the steps")] = 0.3
    start: Annotated[Positive, Field(le=1, description="of the learning rate, at step 0")] = 0.04
    end: Annotated[Positive, Field(le=1, description="of the learning rate, at the end")] = 1e-4


Schedule = Annotated[SineWave | Cosine | OneCycle, Field(discriminator="kind")]

STORED_COMPONENTS = 128
"""Principal components of a record's strains that a dataset stores, or all if there are fewer."""


LearningRate = Annotated[Positive, Plausible(0, 1, "AdamW learns with 1e-4 to 1e-2")]
WeightDecay = Annotated[float, Field(ge=0, le=100)]


class Pace(Setting):
    """How one network is trained where it differs from the campaign's other networks."""

    members: Annotated[
        int,
        Field(
            ge=1, le=16, description="trainings with seeds of their own, assembled to a committee"
        ),
    ] = 1
    seed: Annotated[int | None, Field(ge=0, lt=2**31)] = None
    gaussian: Annotated[
        bool, Field(description="answer a variance beside each mean; the loss is the likelihood")
    ] = False
    forces: Annotated[
        bool, Field(description="the measured forces are an input too, by a branch of their own")
    ] = False
    epochs: Annotated[int | None, Field(ge=1, le=100_000)] = None
    batch_size: Annotated[int | None, Field(ge=8, le=1_000_000)] = None
    learning_rate: LearningRate | None = None
    weight_decay: WeightDecay | None = None
    schedule: Schedule | None = None


PAPER_HEADS = ("MP3", "MP5", "MP6", "MP7", "MP8")
"""Targets with a deep head in the paper."""


class MultitaskCnn(Pace):
    """The paper's network: a shared convolutional trunk, one head per target."""

    kind: Literal["multitask_cnn"]
    name: Slug = "multitask_cnn"
    components: Annotated[
        int, Field(ge=2, le=512, description="principal components that the input filter keeps")
    ] = 48
    channels: Annotated[int, Field(ge=4, le=512)] = 32
    encoding: Annotated[
        Literal["fields", "series", "patches"],
        Field(
            description="what a convolution slides over: fields, 6 rows of patches x times as in "
            "the paper; series, a row of times per patch; patches, each patch's times in one "
            "stride, then its neighbours"
        ),
    ] = "fields"
    activation: Annotated[
        Literal["relu", "silu"],
        Field(description="relu as in the paper; silu is smooth, as what is learned is"),
    ] = "silu"
    deep_heads: tuple[str, ...] = PAPER_HEADS
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class Mlp(Pace):
    """A multilayer perceptron on principal components of inputs in units of their noise."""

    kind: Literal["mlp"]
    name: Slug = "mlp"
    components: Annotated[int, Field(ge=2, le=512)] = 48
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16_384)], ...], Field(min_length=1, max_length=8)
    ] = (256, 256)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ratios: Annotated[
        bool,
        Field(
            description="the field divided by its own elongation, and that apart: for families, "
            "whose sheets are strained unlike far"
        ),
    ] = False


Network = Annotated[MultitaskCnn | Mlp, Field(discriminator="kind")]


SourceName = Literal["auto", "device", "ram", "stream"]
Precision = Literal["float32", "tf32", "bf16"]


class Training(Setting):
    """One training per network or member; all of one seed see the same batches."""

    networks: Annotated[tuple[Network, ...], Field(min_length=1, max_length=16)]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=8, le=1_000_000)] = 256
    learning_rate: LearningRate = 1e-3
    weight_decay: WeightDecay = 1e-4
    schedule: Schedule
    settle_after: Annotated[
        Fraction, Field(description="share of the epochs after which batch statistics are frozen")
    ] = 0.5
    validation_fraction: Annotated[Fraction, Field(gt=0, lt=0.9)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    checkpoint_every_epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    patience: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="evaluations without a better one after which it ends early",
        ),
    ] = None
    source: Annotated[
        SourceName, Field(description="where batches come from; auto: the fastest that fits")
    ] = "auto"
    precision: Annotated[
        Precision, Field(description="of matrix products: tf32 on a GPU only, bf16 anywhere")
    ] = "float32"
    compile: Annotated[bool, Field(description="torch.compile the network")] = False
    importance_weights: Annotated[
        bool,
        Field(
            description="weight records of targeted rounds in the loss as if they had been drawn "
            "evenly; without, more records somewhere mean fewer errors there"
        ),
    ] = False

    @property
    def trainings(self) -> tuple[Network, ...]:
        """What is trained, each by itself: networks, and the members of committees."""
        return tuple(member for network in self.networks for member in members_of(network))

    @property
    def planned_epochs(self) -> int:
        """Epochs of all that is trained, if nothing ends early."""
        return sum(each.epochs or self.epochs for each in self.trainings)

    @property
    def committees(self) -> tuple[Network, ...]:
        """What is assembled of trained members."""
        return tuple(network for network in self.networks if network.members > 1)


def members_of(network: Network) -> tuple[Network, ...]:
    """Networks NAME-0, NAME-1, ... with seeds one apart; a network without members is its own."""
    if network.members == 1:
        return (network,)
    first, described = network.seed or 0, network.model_dump() | {"members": 1}
    return tuple(
        type(network)(**described | {"name": f"{network.name}-{number}", "seed": first + number})
        for number in range(network.members)
    )
