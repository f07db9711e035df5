"""A shard as its reader finds it: recognised and whole, or refused with the reason."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.family import Coordinate
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.layout import manifest_of
from hpc_jobs.contract.records import FileEntry, Manifest, ShardFields, read_model, sha256_of
from hpc_jobs.contract.sheet import SheetForm
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.records.shards import KIND

SIGNATURE = b"\x89HDF\r\n\x1a\n"
AGAIN = "solve the shard again"
PROBE = "import h5py, sys\nwith h5py.File(sys.argv[1]) as file: dict(file.attrs)"
PROBE_S = 20.0
ONE_PER_RECORD = (
    ShardFields.STATUS,
    ShardFields.POINT,
    ShardFields.IS_TEST,
    ShardFields.MESH_LEVEL,
    ShardFields.REASON,
    ShardFields.PLASTIC_STRAIN,
    ShardFields.ITERATIONS,
)
ATTRIBUTES = (
    "round", "shard", "run_id", "campaign", "campaign_fingerprint", "code_sha256", "solver",
    "strain_measure", "strain_axes",
)  # fmt: skip

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardFile:
    """What a shard holds and says of itself.

    columns are ShardFields, n records each. doubt says why no manifest vouches for the file; empty
    if one does.
    """

    path: Path
    bytes: int
    sha256: str
    doubt: str
    attributes: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]
    specimens: Specimens
    meshes: tuple[Mesh, ...]  # what MESH_LEVEL counts
    material: SheetForm  # numbers, or the ranges of a family
    coordinates: tuple[Coordinate, ...]  # of ShardFields.SHEET; none where all is fixed
    targets: Mapping[str, str]  # neutral name -> parameter
    status_names: tuple[str, ...]

    def ended(self, status: str) -> NDArray[np.bool_]:
        """Which records (n,) have this status."""
        code = self.status_names.index(status)
        return np.asarray(self.columns[ShardFields.STATUS] == code)

    @property
    def strains(self) -> NDArray[np.float32]:
        """Of the good records: [record, component, specimen, patch, time]."""
        good = self.columns[ShardFields.STRAINS][self.ended("ok")]
        return np.asarray(good.reshape(-1, *self.specimens.strain_shape))

    @property
    def varied(self) -> tuple[NDArray[np.float64], list[str]]:
        """What differs from record to record: [record, value], and the values' names."""
        names = [f"{target}\n{parameter}" for target, parameter in self.targets.items()]
        values = self.columns[ShardFields.PARAMETERS]
        if self.coordinates:
            values = np.hstack((values, self.columns[ShardFields.SHEET]))
            names += [one.name for one in self.coordinates]
        return values, names

    @property
    def displacements(self) -> NDArray[np.float64]:
        """Of the good records, mm as the machine counts: [record, specimen, time]."""
        good = self.ended("ok")
        shape = (-1, *self.specimens.force_shape)
        if ShardFields.DISPLACEMENTS in self.columns:
            return np.asarray(self.columns[ShardFields.DISPLACEMENTS][good].reshape(shape))
        even = np.array(self.specimens.displacements_mm)
        return np.broadcast_to(even, (int(good.sum()), *even.shape))

    @property
    def forces(self) -> NDArray[np.float32]:
        """Of the good records, N: [record, specimen, time]."""
        good = self.columns[ShardFields.FORCES][self.ended("ok")]
        return np.asarray(good.reshape(len(good), -1, self.specimens.output_times))


def read_shard(path: Path) -> ShardFile:
    """Verify and read one shard, wherever it lies.

    Raises CorruptFile for a file that is missing, truncated, altered, foreign or inconsistent.
    A whole shard for which no manifest vouches is returned with its `doubt`.
    """
    if not path.is_file():
        raise CorruptFile(f"{path}: no such file; name a shard, rounds/NNN/shards/shard-IIIII.h5")
    _recognise(path)
    digest, doubt = sha256_of(path), ""
    try:
        entry = _entry(path)
    except CorruptFile as error:
        doubt = str(error)
        _probe(path)
    else:
        _compare(path, entry, digest)
    attributes, columns = _content(path)
    return _checked(
        ShardFile(
            path=path,
            bytes=path.stat().st_size,
            sha256=digest,
            doubt=doubt,
            attributes=attributes,
            columns=columns,
            specimens=_value(path, attributes, "specimens", Specimens),
            meshes=_value(path, attributes, "meshes", tuple[Mesh, ...]),
            material=_value(path, attributes, "material", SheetForm),
            coordinates=_value(path, attributes, "coordinates", tuple[Coordinate, ...]),
            targets=_value(path, attributes, "targets", dict[str, str]),
            status_names=_value(path, attributes, "status_names", tuple[str, ...]),
        )
    )


def _recognise(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(len(SIGNATURE))
    if head == SIGNATURE:
        return
    if SIGNATURE.startswith(head):
        raise CorruptFile(f"{path}: truncated to {len(head)} bytes; {AGAIN}")
    raise CorruptFile(
        f"{path}: not an HDF5 file, it begins with {head!r}; shards are written by solve_shard"
    )


def _entry(path: Path) -> FileEntry:
    """Entry of a shard in its manifest; raises CorruptFile if nothing vouches for it."""
    where = manifest_of(path)
    if not where.is_file():
        raise CorruptFile(
            f"{where}: missing, so nothing vouches for {path.name}; {AGAIN}, which writes both"
        )
    manifest = read_model(Manifest, where)
    if manifest.kind != KIND:
        raise CorruptFile(f"{where}: a manifest of kind '{manifest.kind}', expected '{KIND}'")
    for entry in manifest.files:
        if entry.path == path.name:
            return entry
    names = ", ".join(entry.path for entry in manifest.files) or "nothing"
    raise CorruptFile(
        f"{where}: the manifest of another file, it vouches for {names}, not for {path.name}; "
        "put the right one beside the shard"
    )


def _compare(path: Path, entry: FileEntry, digest: str) -> None:
    size = path.stat().st_size
    if size != entry.bytes:
        what = "truncated" if size < entry.bytes else "longer than it was"
        raise CorruptFile(f"{path}: {what}, {size} of {entry.bytes} bytes; {AGAIN}")
    if digest != entry.sha256:
        raise CorruptFile(
            f"{path}: altered after it was published, sha256 {digest[:12]}..., its manifest says "
            f"{entry.sha256[:12]}...; {AGAIN}"
        )


def _probe(path: Path) -> None:
    """Read a file for which nothing vouches in a process of its own, to see whether that ends.

    HDF5 guards its metadata by checksums, but not the heap of its strings: damage there can keep
    the library busy for ever.
    """
    try:
        subprocess.run(
            [sys.executable, "-c", PROBE, path], timeout=PROBE_S, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:
        raise CorruptFile(
            f"{path}: damaged HDF5 (reading it did not end in {PROBE_S:g} s); {AGAIN}"
        ) from None


def _content(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with h5py.File(path, "r") as file:
            kind = file.attrs.get("kind")
            if kind != KIND:
                held = ", ".join(sorted(file)[:6]) or "nothing"
                raise CorruptFile(
                    f"{path}: an HDF5 file, but no shard: kind is {kind!r}, expected '{KIND}'; "
                    f"it holds {held}"
                )
            return dict(file.attrs), {name: file[name][...] for name in file}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if "truncated file" in str(error):
            raise CorruptFile(f"{path}: truncated, HDF5 misses its end; {AGAIN}") from None
        raise CorruptFile(f"{path}: damaged HDF5 ({error}); {AGAIN}") from None


def _value(path: Path, attributes: Mapping[str, Any], name: str, kind: type[Value]) -> Value:
    """Read an attribute that holds JSON."""
    if name not in attributes:
        raise CorruptFile(f"{path}: no attribute '{name}'; not a shard of this version")
    try:
        return TypeAdapter(kind).validate_json(str(attributes[name]))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, (name, *first["loc"])))
        raise CorruptFile(
            f"{path}: attribute '{key}': {first['msg']}; read it with the code that wrote it"
        ) from None


def _checked(shard: ShardFile) -> ShardFile:
    """Refuse columns that contradict each other or what the shard says of itself."""
    path, columns, specimens = shard.path, shard.columns, shard.specimens
    for name in ATTRIBUTES:
        if name not in shard.attributes:
            raise CorruptFile(f"{path}: no attribute '{name}'; not a shard of this version")
    records = len(columns.get(ShardFields.STATUS, ()))
    shapes: dict[str, tuple[int, ...]] = {
        ShardFields.STRAINS: (records, specimens.strain_values),
        ShardFields.FORCES: (records, specimens.force_values),
        ShardFields.PARAMETERS: (records, len(shard.targets)),
        **{name: (records, specimens.output_values) for name in specimens.outputs},
        **{name: (records,) for name in ONE_PER_RECORD},
        **({ShardFields.SHEET: (records, len(shard.coordinates))} if shard.coordinates else {}),
        **(
            {ShardFields.DISPLACEMENTS: (records, specimens.force_values)}
            if specimens.timing
            else {}
        ),
    }
    for name, shape in shapes.items():
        if name not in columns:
            raise CorruptFile(f"{path}: no dataset '{name}'; not a shard of this version")
        if columns[name].shape != shape:
            raise CorruptFile(
                f"{path}: '{name}' has shape {columns[name].shape}, its attributes say {shape}"
            )
    if columns[ShardFields.STATUS].max(initial=0) >= len(shard.status_names):
        raise CorruptFile(
            f"{path}: status {columns[ShardFields.STATUS].max()}, but status_names has "
            f"{len(shard.status_names)}; {AGAIN}"
        )
    if columns[ShardFields.MESH_LEVEL].max(initial=0) >= len(shard.meshes):
        raise CorruptFile(
            f"{path}: mesh level {columns[ShardFields.MESH_LEVEL].max()}, but meshes has "
            f"{len(shard.meshes)}; {AGAIN}"
        )
    good = shard.ended("ok")
    for name in (ShardFields.STRAINS, ShardFields.FORCES, *specimens.outputs):
        if not (np.isfinite(columns[name][good]).all() and np.isnan(columns[name][~good]).all()):
            raise CorruptFile(
                f"{path}: '{name}' must be finite where the status is ok and NaN elsewhere; {AGAIN}"
            )
    return shard
