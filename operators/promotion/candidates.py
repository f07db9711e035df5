"""Trained networks as they lie in the run folder: which one is put before the gate, and its files.

What is read is verified: a file that its manifest does not vouch for is never judged.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.gate import Comparison
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.model import ModelFacts, model_facts
from hpc_jobs.contract.records import Manifest, first_mistake
from hpc_jobs.contract.report import Challenger, NetworkErrors
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.validation import Verdict
from operators.hooks.hpc import Connect, Session, open_session
from operators.runs.run import folder_of, read_frozen

log = logging.getLogger(__name__)


def choose_challenger(run: RunHandle, training: str, connect: Connect = open_session) -> Challenger:
    """Read the manifests of a training's networks from the AI cluster and compare.

    The lowest error on the validation split wins: the test set is looked at, never chosen by.
    A committee stands for its members.
    Raises CorruptFile where a manifest is missing or foreign.
    """
    site = run.sites["gpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session:
        found = {}
        for network in read_frozen(session, folder).campaign.training.networks:
            path = folder.model(f"{training}-{network.name}") / "manifest.json"
            found[f"{training}-{network.name}"] = _read_model(session, path)[1]
    model = best(found)
    log.info("challenger: %s, validation error %.3g", model, found[model].validation_error)
    networks = {facts.network: NetworkErrors.of(facts) for facts in found.values()}
    return Challenger(model=model, networks=networks)


def best(models: Mapping[str, ModelFacts]) -> str:
    """Name of the model with the lowest validation error."""
    return min(models, key=lambda name: models[name].validation_error)


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
    content, facts, manifest = _read_model(session, source / "manifest.json")
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


def read_comparison(
    session: Session, run: RunFolder[PurePosixPath], validation: str, candidate: Candidate
) -> Comparison:
    """Read what challenger and champion answered; it must be about that very challenger."""
    path = run.comparison(validation)
    try:
        comparison = Comparison.model_validate_json(_read(session, path))
    except ValidationError as error:
        raise CorruptFile(f"{path}: {first_mistake(error)}; clear the task compare") from None
    if comparison.challenger.sha256 != candidate.sha256:
        raise CorruptFile(
            f"{path}: compares model '{comparison.challenger.model}' "
            f"({comparison.challenger.sha256:.12}), not '{candidate.name}' "
            f"({candidate.sha256:.12}); clear the task compare"
        )
    return comparison


def _read_model(session: Session, path: PurePosixPath) -> tuple[bytes, ModelFacts, Manifest]:
    """Read a model's manifest: as it is, its facts, and all of it."""
    content = _read(session, path)
    try:
        manifest = Manifest.model_validate_json(content)
        if manifest.kind != "model":
            raise CorruptFile(f"{path}: kind is '{manifest.kind}', expected 'model'")
        return content, model_facts(manifest), manifest
    except ValidationError as error:
        raise CorruptFile(
            f"{path}: {first_mistake(error)}; it is not a model of this version"
        ) from None


def _read(session: Session, path: PurePosixPath) -> bytes:
    try:
        return session.read(str(path))
    except FileNotFoundError:
        raise CorruptFile(
            f"{session.cluster}:{path}: missing; clear the task whose job writes it"
        ) from None
