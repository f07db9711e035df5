"""What dataset/manifest.json says beside its files: the frozen scaler, the split, the lineage."""

from itertools import islice
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.frozen import Frozen, Positive
from hpc_jobs.contract.records import Manifest, first_mistake
from hpc_jobs.contract.solver import Provenance


class PackedFields:
    """Dataset names of a packed file, contiguous and uncompressed; n records each."""

    STRAINS = "strains"  # (n, strain_values) float32
    FORCES = "forces"  # (n, force_values) float32, N
    PARAMETERS = "parameters"  # (n, targets) float32: Campaign.targets, contract.answers
    ORIGIN = "origin"  # (n, 2) int64: round, and row of that round's design
    COMPONENTS = "components"  # (n, K) float32, of the strains, in units of the noise; train only
    FORCE_COMPONENTS = "force_components"  # (n, force_values) float32, of log forces; train only
    WEIGHT = "weight"  # (n, 1) float32, of a record in a loss; 1 where a file has no such column
    DISPLACEMENTS = "displacements"  # (n, Specimens.told_displacements) float32, mm; with a timing
    SHEET = "sheet"  # (n, coordinates) float32, of the campaign's family; absent for one sheet


class TargetScaler(Frozen):
    """Min-max: 0 at the lowest, 1 at the highest training value of each target.

    The logarithm of a stress is scaled by its range relative to the record's last forces, whose
    level a network adds: over a family it leaves 0 to 1 by far, but an error of so many units means
    what it means elsewhere.

    Frozen with the first generation: the range grows with the number of records and would flatter
    every later error.
    """

    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    low: tuple[FiniteFloat, ...]
    high: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _one_range_each(self) -> Self:
        lengths = {len(self.targets), len(self.low), len(self.high)}
        if len(lengths) > 1 or not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(
                f"{len(self.targets)} targets with the ranges {self.low} to {self.high}; each "
                "target needs a lowest value below its highest"
            )
        return self


class GivenValues(Frozen):
    """What a measurement says beside strains and forces, as networks take it.

    Of its sheet it may know values, each with a deviation; where its output times lie it always
    says.
    """

    names: tuple[str, ...] = ()
    columns: Annotated[tuple[int, ...], Field(description="of PackedFields.SHEET")] = ()
    centre: Annotated[tuple[FiniteFloat, ...], Field(description="of the box")] = ()
    spread: Annotated[
        tuple[Positive, ...], Field(description="one standard deviation over the box")
    ] = ()
    displacements: Annotated[
        tuple[str, ...], Field(description="Specimens.told_displacements, known exactly")
    ] = ()


class Source(Frozen):
    """One shard that the dataset was made of."""

    round: int
    shard: str
    sha256: str
    records: int


class Part(Frozen):
    """Training records that were packed together: a random order of them, by itself."""

    generation: Annotated[int, Field(ge=1, description="that added them")]
    train: Annotated[int, Field(ge=0)]
    files: Annotated[int, Field(ge=0, description="of DatasetFacts.train_files, in their order")]
    uncarried: Annotated[
        float,
        Field(ge=0, description="variance left by the components, in units of the noise's in one"),
    ] = 0.0


class DatasetFacts(Frozen):
    """The facts of a manifest of kind "dataset"."""

    provenance: Annotated[
        Provenance, Field(description="a rehearsal's networks never become champion")
    ] = "simulation"
    generation: Annotated[int, Field(ge=1)]
    rounds: tuple[int, ...]
    train: int
    test: int
    by_status: dict[str, int]
    unused_test: Annotated[int, Field(description="test points that came later, left out")] = 0
    missing_shards: tuple[str, ...] = ()
    train_files: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    parts: Annotated[tuple[Part, ...], Field(description="none: all is one")] = ()
    anew: Annotated[str, Field(description="why this generation was packed anew; else empty")] = ""
    scaler: TargetScaler
    coordinates: Annotated[tuple[str, ...], Field(description="of PackedFields.SHEET")] = ()
    given: GivenValues = GivenValues()
    spectrum_file: Annotated[str, Field(description="what the stored components mean")] = ""
    noise_strain: Annotated[Positive, Field(description="unit of the inputs")]
    noise_force_relative: Annotated[Positive, Field(description="unit of the forces' logarithms")]
    noise_seed: Annotated[int, Field(description="of the noise on the test set, frozen with it")]
    strain_shape: tuple[int, int, int, int]
    campaign_fingerprint: str
    lineage: tuple[Source, ...]

    @property
    def parted_files(self) -> tuple[tuple[str, ...], ...]:
        """Training files of each part; each part is a random sample in a random order."""
        if not self.parts:
            return (self.train_files,)
        files = iter(self.train_files)
        return tuple(tuple(islice(files, part.files)) for part in self.parts)

    @property
    def uncarried(self) -> float:
        """Variance that the components left of the records they were found from."""
        return self.parts[0].uncarried if self.parts else 0.0

    @property
    def force_values(self) -> int:
        """Forces of a record: one per specimen and time."""
        _, specimens, _, times = self.strain_shape
        return specimens * times


def dataset_facts(manifest: Manifest) -> DatasetFacts:
    """Read the facts of a dataset manifest, typed; raises CorruptFile for another version's.

    Every file that they name must be one that the manifest vouches for.
    """
    try:
        facts = DatasetFacts.model_validate(manifest.facts)
    except ValidationError as error:
        raise CorruptFile(
            f"dataset/manifest.json is not what this version writes ({first_mistake(error)}); "
            "remove the folder dataset and publish it anew"
        ) from None
    named = {*facts.train_files, *facts.test_files, facts.spectrum_file}
    if strangers := named - {entry.path for entry in manifest.files}:
        raise CorruptFile(
            f"dataset/manifest.json names '{min(strangers)}', but does not vouch for it; publish "
            "the dataset again"
        )
    return facts
