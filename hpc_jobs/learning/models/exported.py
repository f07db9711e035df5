"""Exported files of a published network: written beside it, vouched for, and read only as such.

models/<name>/exported/     network.onnx, network.pt2, manifest.json
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import publish_manifest, read_facts, read_manifest
from hpc_jobs.learning.models.export import export_onnx, export_program
from hpc_jobs.learning.models.trained_model import TrainedModel

KIND = "exported"
ONNX, PROGRAM = "network.onnx", "network.pt2"


class _Facts(BaseModel):
    """The facts of a manifest of kind "exported"."""

    model_sha256: Annotated[str, Field(description="of the model's own manifest")]


def publish_exported(folder: Path, model: TrainedModel) -> list[Path]:
    """Write both files and their manifest below the model's folder."""
    files = [folder / KIND / name for name in (ONNX, PROGRAM)]
    export_onnx(model.module, files[0])
    export_program(model.module, files[1])
    manifest = folder / KIND / "manifest.json"
    publish_manifest(manifest, KIND, files, model_sha256=model.sha256)
    return [*files, manifest]


def exported_onnx(folder: Path, model: TrainedModel) -> bytes | None:
    """Read the ONNX file of a model's folder, None if none was published.

    Raises CorruptFile for files that were altered since, or are another training's.
    """
    path = folder / KIND / "manifest.json"
    if not path.exists():
        return None
    manifest = read_manifest(path, KIND)
    if read_facts(_Facts, manifest).model_sha256 != model.sha256:
        raise CorruptFile(f"{path}: exported from another training of {model.name}; export again")
    if ONNX not in {entry.path for entry in manifest.files}:
        raise CorruptFile(f"{path}: does not vouch for {ONNX}; export again")
    return (path.parent / ONNX).read_bytes()
