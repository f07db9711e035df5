"""A trained network and its verdict, fetched from the run folder and verified."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.model import ModelFacts, model_facts
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.validation import Verdict
from operators.hooks.hpc import Session


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained network as it lies in the run folder, fetched and verified."""

    name: str
    folder: Path
    sha256: str
    facts: ModelFacts


def fetch_model(
    session: Session, run: RunFolder[PurePosixPath], name: str, target: Path
) -> Candidate:
    """Copy models/<name>/ here, each file verified; raises CorruptFile."""
    source = run.model(name)
    content = _read(session, source / "manifest.json")
    try:
        manifest = Manifest.model_validate_json(content)
        facts = model_facts(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise CorruptFile(f"{source}/manifest.json: {key}: {first['msg']}") from None
    if manifest.kind != "model":
        raise CorruptFile(f"{source}/manifest.json: kind is '{manifest.kind}', expected 'model'")
    for entry in manifest.files:
        path = PurePosixPath(entry.path)
        if path.is_absolute() or ".." in path.parts:
            raise CorruptFile(f"{source}/manifest.json: '{path}' leaves the model's folder")
        data = _read(session, source / path)
        if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise CorruptFile(f"{source}/{path}: not the file that its manifest vouches for")
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    (target / "manifest.json").write_bytes(content)
    return Candidate(name, target, hashlib.sha256(content).hexdigest(), facts)


def read_verdict(
    session: Session, run: RunFolder[PurePosixPath], validation: str, model: str
) -> Verdict | None:
    """Read a validation's verdict, if there is one; it must be about that model."""
    path = run.verdict(validation)
    if not session.exists(str(path)):
        return None
    try:
        verdict = Verdict.model_validate_json(_read(session, path))
    except ValidationError as error:
        raise CorruptFile(f"{path}: {error.errors()[0]['msg']}") from None
    if verdict.model != model:
        raise CorruptFile(f"{path}: judges model '{verdict.model}', not '{model}'")
    return verdict


def _read(session: Session, path: PurePosixPath) -> bytes:
    try:
        return session.read(str(path))
    except FileNotFoundError:
        raise CorruptFile(f"{session.cluster}:{path}: missing") from None
