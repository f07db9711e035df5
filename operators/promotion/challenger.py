"""Which of the networks of a training is put before the gate."""

import logging
from collections.abc import Mapping
from pathlib import PurePosixPath

from pydantic import ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.model import ModelFacts, model_facts
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import Challenger, NetworkErrors
from hpc_jobs.contract.run import RunHandle
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
            found[f"{training}-{network.name}"] = _read(session, path)
    model = best(found)
    log.info("challenger: %s, validation error %.3g", model, found[model].validation_error)
    networks = {facts.network: NetworkErrors.of(facts) for facts in found.values()}
    return Challenger(model=model, networks=networks)


def best(models: Mapping[str, ModelFacts]) -> str:
    """Name of the model with the lowest validation error."""
    return min(models, key=lambda name: models[name].validation_error)


def _read(session: Session, path: PurePosixPath) -> ModelFacts:
    try:
        manifest = Manifest.model_validate_json(session.read(str(path)))
        return model_facts(manifest)
    except FileNotFoundError:
        raise CorruptFile(
            f"{session.cluster}:{path}: missing, though its training is done; clear the training"
        ) from None
    except ValidationError as error:
        raise CorruptFile(
            f"{session.cluster}:{path}: not a model of this version: {error.errors()[0]['msg']}"
        ) from None
