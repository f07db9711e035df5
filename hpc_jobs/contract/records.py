"""Files that pass between jobs: published whole or not at all, verified when read."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.phases import Phases
from hpc_jobs.job_folder.writer import publish as publish  # as the elements do: one way

MOST_HASHING_THREADS = 8
STROKE = 1 << 20  # bytes: larger reads cost the kernel no less

Model = TypeVar("Model", bound=BaseModel)


class RecordStatus:
    """Status codes of a record, as stored in a shard; 0 is the only good one."""

    NAMES = (
        "ok",
        "return_map",
        "newton",
        "min_step",
        "inverted",
        "necked",
        "nonfinite",
        "rejected_material",
        "time_limit",
        "elastic",
        "rejected_specimen",
        "no_output_times",
    )


class ShardFields:
    """Dataset names of a shard: n records each, float32 unless said."""

    PARAMETERS = "parameters"  # (n, targets) float64, in the order of Campaign.targets
    SHEET = "sheet"  # (n, coordinates) float64, in the order of Campaign.family; of families only
    DISPLACEMENTS = "output_displacements"  # (n, specimens * times) float64, mm; with a timing
    STRAINS = "strains"  # (n, strain_values); NaN where the status is not ok
    FORCES = "forces"  # (n, force_values) N
    STATUS = "status"  # (n,) uint8, index into RecordStatus.NAMES
    POINT = "point"  # (n,) int64, row of the round's design
    IS_TEST = "is_test"  # (n,) bool
    MESH_LEVEL = "mesh_level"  # (n,) uint8, index into Campaign.levels
    REASON = "reason"  # (n,) UTF-8 bytes, why the status is not ok
    PLASTIC_STRAIN = "largest_plastic_strain"  # (n,) reached anywhere
    THICKNESS = "thickness"  # (n, output_values) mm; where it is one of Specimens.outputs
    PATCH_PLASTIC_STRAIN = "plastic_strain"  # (n, output_values); as above
    WEIGHT = "weight"  # (n,) float64, of a record in a loss; 1 where the dataset is absent
    ITERATIONS = "iterations"  # (n,) int32, Newton iterations of all specimens


def _below(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(
            f"the path '{path[:80]}' leaves the manifest's folder; do not use what it came with"
        )
    return path


class FileEntry(Frozen):
    """One file that a manifest vouches for, its path relative to the manifest's folder."""

    path: Annotated[str, AfterValidator(_below)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(Frozen):
    """Says that files are complete; written last."""

    schema_version: Literal[1] = 1
    kind: str
    files: tuple[FileEntry, ...]
    facts: dict[str, Any] = {}


class ElementResult(Frozen):
    """results/<element>.json: how one array element ended, in its own words."""

    schema_version: Literal[1] = 1
    element: int
    outcome: Literal["done", "failed", "handed_over"]
    job_id: str
    host: str
    started: Annotated[float, Field(description="Unix time by the node's clock, s")]
    wall_s: float
    cpu_s: float
    message: str = ""
    phases: Phases | None = None
    peak_mib: Annotated[float, Field(ge=0, description="of resident memory; 0: not said")] = 0.0
    facts: dict[str, Any] = {}


def publish_model(path: Path, model: BaseModel) -> None:
    """Write a model as JSON, atomically."""
    with publish(path) as temporary:
        temporary.write_text(model.model_dump_json(indent=1) + "\n")


def publish_manifest(path: Path, kind: str, files: list[Path], **facts: Any) -> Manifest:
    """Vouch for files that are already in place; they lie in or below the manifest's folder."""
    return publish_entries(path, kind, [entry_of(path.parent, file) for file in files], **facts)


def publish_entries(path: Path, kind: str, entries: Sequence[FileEntry], **facts: Any) -> Manifest:
    """Vouch for files whose SHA-256 is known: that of what was written."""
    manifest = Manifest(kind=kind, files=tuple(entries), facts=facts)
    publish_model(path, manifest)
    return manifest


def entry_of(folder: Path, file: Path) -> FileEntry:
    """Look at a file in or below the folder of its manifest."""
    return FileEntry(
        path=file.relative_to(folder).as_posix(),
        bytes=file.stat().st_size,
        sha256=sha256_of(file),
    )


def read_model(model: type[Model], path: Path) -> Model:
    """Read JSON into `model`; raises CorruptFile."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CorruptFile(f"{path}: missing; the job that writes it has not finished") from None
    except (IsADirectoryError, NotADirectoryError):
        raise CorruptFile(f"{path}: not a file; name what a job has published") from None
    except ValidationError as error:
        raise CorruptFile(f"{path}: not a {model.__name__}: {first_mistake(error)}") from None


def read_facts(model: type[Model], manifest: Manifest) -> Model:
    """Read a manifest's facts into `model`; raises CorruptFile naming the fact."""
    try:
        return model.model_validate(manifest.facts)
    except ValidationError as error:
        raise CorruptFile(
            f"a manifest of kind '{manifest.kind}' says what this version does not understand: "
            f"{first_mistake(error)}; make it again"
        ) from None


def first_mistake(error: ValidationError) -> str:
    """Where a validation failed first, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key}: {first['msg']}" if key else first["msg"]


def read_manifest(path: Path, kind: str, *, verify: bool = True) -> Manifest:
    """Read a manifest and, unless told not to, verify size and SHA-256 of all its files.

    Raises CorruptFile, naming the file, what was expected and what was found.
    """
    manifest = read_model(Manifest, path)
    if manifest.kind != kind:
        raise CorruptFile(f"{path}: a manifest of kind '{manifest.kind}', expected '{kind}'")
    if verify:
        verify_files(path.parent, manifest.files)
    return manifest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal.

    Read in long strokes that are announced: from a disk that is a third of the kernel's own time.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        stroke = memoryview(bytearray(max(1, min(STROKE, os.fstat(file.fileno()).st_size))))
        while got := file.readinto(stroke):
            digest.update(stroke[:got])
    return digest.hexdigest()


def verified_bytes(folder: Path, entry: FileEntry) -> bytes:
    """Read the file of a manifest once, whole; raises CorruptFile as `verify_file` does."""
    path = _checked(folder, entry)
    content = path.read_bytes()
    _check_sha256(path, hashlib.sha256(content).hexdigest(), entry)
    return content


def verify_files(folder: Path, entries: Sequence[FileEntry]) -> None:
    """Verify many files, as many at a time as this process may use cores; raises CorruptFile."""
    with ThreadPoolExecutor(_hashing_threads()) as pool:
        for _ in pool.map(lambda entry: verify_file(folder, entry), entries):
            pass


def _hashing_threads() -> int:
    return min(MOST_HASHING_THREADS, len(os.sched_getaffinity(0)))


def verify_file(folder: Path, entry: FileEntry) -> Path:
    """Return the file of a manifest in `folder`; raises CorruptFile unless it is as vouched for."""
    path = _checked(folder, entry)
    _check_sha256(path, sha256_of(path), entry)
    return path


def _checked(folder: Path, entry: FileEntry) -> Path:
    path = folder / entry.path
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CorruptFile(
            f"{path}: a link to {path.resolve()}, out of the manifest's folder; put the file "
            "itself there"
        )
    if not path.is_file():
        raise CorruptFile(f"{path}: missing, though its manifest vouches for it; make it again")
    size = path.stat().st_size
    if size != entry.bytes:
        raise CorruptFile(f"{path}: {size} bytes, its manifest says {entry.bytes}; make it again")
    return path


def _check_sha256(path: Path, found: str, entry: FileEntry) -> None:
    if found != entry.sha256:
        raise CorruptFile(
            f"{path}: sha256 {found[:12]}..., its manifest says {entry.sha256[:12]}...; "
            "make it again"
        )
