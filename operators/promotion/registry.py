"""Trained networks in MLflow's registry: registered as challengers, judged, made champion.

A version's identity is the sha256 of its model's manifest, so that whatever is repeated finds what
it made before. Aliases: `challenger` the last one registered, `champion` the one to use, `previous`
the champion before it.
"""

import hashlib
import json
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.report import Champion, GateReport
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.validation import Gate, Verdict
from operators.hooks.hpc import Connect, open_session
from operators.hooks.mlflow import MlflowHook, literal
from operators.promotion.candidates import Candidate, fetch_model, read_verdict
from operators.promotion.gate import Decision, Score, decide
from operators.runs.run import HANDLE, folder_of, read_frozen
from operators.tracking.packaging import package_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
IDENTITY, MODEL, TEST_SET = "model.sha256", "model", "test_set.sha256"
TEST_ERROR, MEAN_BASELINE = "test_error", "mean_baseline"
PROVENANCE = "provenance"


def promote(
    run: RunHandle,
    model: str,
    validation: str,
    *,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> GateReport:
    """Register a model as challenger and let the gate decide on it; may be repeated.

    Raises CorruptFile where the model or the verdict is not what its manifest or name says,
    ClusterError, TrackingUnavailable.
    """
    mlflow = mlflow or MlflowHook()
    client = mlflow.require()
    site = run.sites["cpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session, tempfile.TemporaryDirectory() as scratch:
        gate = read_frozen(session, folder).campaign.gate
        verdict = read_verdict(session, folder, validation, model)
        candidate = fetch_model(session, folder, model, Path(scratch) / "model")
        version = register(client, run, candidate)
    return pass_gate(client, run, version, validation, gate, verdict)


def registered_name(campaign: str) -> str:
    """Name of a campaign's registered model."""
    return f"{campaign}-material-identifier"


def champion(campaign: str, mlflow: MlflowHook | None = None) -> Champion | None:
    """Look up the campaign's champion."""
    client = (mlflow or MlflowHook()).require()
    found = _by_alias(client, registered_name(campaign), CHAMPION)
    if found is None:
        return None
    run = RunHandle.model_validate_json(found.tags[HANDLE])
    return Champion(run_id=run.run_id, model=found.tags[MODEL], version=str(found.version))


def find_champion_task(campaign: str) -> Champion:
    """Look up the campaign's champion; skips where there is none yet."""
    found = champion(campaign)
    if found is None:
        raise AirflowSkipException(
            f"campaign '{campaign}' has no champion; trigger hybrid_campaign first"
        )
    return found


def register(client: "MlflowClient", run: RunHandle, candidate: Candidate) -> "ModelVersion":
    """Register a candidate below its training's run, unless it is; alias it `challenger`."""
    from mlflow.exceptions import MlflowException

    name = registered_name(run.campaign)
    versions = client.search_model_versions(
        f"name = '{literal(name)}' and tags.`{IDENTITY}` = '{literal(candidate.sha256)}'"
    )
    if versions:
        version = min(versions, key=lambda found: int(found.version))
    else:
        training = _training_run(client, run, candidate.name)
        _log_dataset(client, training, run, candidate.facts)
        model_id = package_model(
            client,
            training,
            candidate.name,
            candidate.folder,
            (IDENTITY, candidate.sha256),
        )
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            name,
            f"models:/{model_id}",
            training,
            tags=_tags(run, candidate),
            model_id=model_id,
        )
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return client.get_model_version(name, version.version)


def pass_gate(
    client: "MlflowClient",
    run: RunHandle,
    version: "ModelVersion",
    validation: str,
    gate: Gate,
    verdict: Verdict | None,
) -> GateReport:
    """Decide, remember the decision, then move the aliases: a retry ends where this would have."""
    before = _by_alias(client, version.name, CHAMPION)
    rival = str(before.version) if before else None
    key = f"gate.{validation}"
    question = _question(gate, verdict)
    known = json.loads(version.tags.get(key, "{}"))
    if known.get("question") == question and rival in (known["champion"], str(version.version)):
        decision, rival = Decision.model_validate(known["decision"]), known["champion"]
    elif rival == str(version.version):
        decision = Decision(promoted=False, reason="not promoted: it is the champion already")
    else:
        decision = decide(_score(version), _score(before) if before else None, gate, verdict)
    remembered = {"question": question, "champion": rival, "decision": decision.model_dump()}
    client.set_model_version_tag(version.name, version.version, key, json.dumps(remembered))
    if decision.promoted:
        if rival is not None:
            client.set_registered_model_alias(version.name, PREVIOUS, rival)
        client.set_registered_model_alias(version.name, CHAMPION, version.version)
    report = GateReport(
        promoted=decision.promoted,
        reason=decision.reason,
        model=version.tags[MODEL],
        validation=validation,
        registered_model=version.name,
        version=str(version.version),
        champion_before=rival,
        test_error=float(version.tags[TEST_ERROR]),
        mean_baseline=float(version.tags[MEAN_BASELINE]),
    )
    client.update_model_version(version.name, version.version, decision.reason)
    evidence = {
        "gate": gate.model_dump(),
        "champion_score": _score(before).model_dump() if before else None,
        "verdict": verdict.model_dump(mode="json") if verdict else None,
    }
    document = report.model_dump() | evidence
    client.log_dict(run.mlflow_run_id, document, f"gate/{validation}.json")
    client.set_tag(run.mlflow_run_id, "gate", decision.reason)
    log.info("%s version %s: %s", version.name, version.version, decision.reason)
    return report


def _question(gate: Gate, verdict: Verdict | None) -> str:
    """Identify what the gate was asked: another verdict is another question."""
    text = gate.model_dump_json() + (verdict.model_dump_json() if verdict else "")
    return hashlib.sha256(text.encode()).hexdigest()


def _training_run(client: "MlflowClient", run: RunHandle, model: str) -> str:
    """Find the run of the model's training; the campaign's own where no spool was replayed."""
    parent = client.get_run(run.mlflow_run_id)
    found = client.search_runs(
        [parent.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{literal(run.mlflow_run_id)}' "
        f"and attributes.run_name = '{literal(model)}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return str(found[0].info.run_id) if found else run.mlflow_run_id


def _log_dataset(client: "MlflowClient", training: str, run: RunHandle, facts: ModelFacts) -> None:
    """Say what the network learned from; the same dataset counts once."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=f"{run.run_id}/dataset",
        digest=facts.dataset_sha256[:36],  # the length that MLflow stores
        source_type="workspace",
        source=json.dumps({site: str(handle) for site, handle in run.sites.items()}),
        profile=json.dumps({"manifest_sha256": facts.dataset_sha256}),
    )
    client.log_inputs(training, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])


def _tags(run: RunHandle, candidate: Candidate) -> dict[str, str]:
    facts = candidate.facts
    return {
        "run_id": run.run_id,
        "campaign": run.campaign,
        "workspace": str(run.sites["cpu"]),
        HANDLE: run.model_dump_json(),
        MODEL: candidate.name,
        IDENTITY: candidate.sha256,
        "network": facts.network,
        "code.sha256": run.code_sha256,
        "dataset.sha256": facts.dataset_sha256,
        TEST_SET: facts.test_set_sha256,
        PROVENANCE: facts.provenance,
        TEST_ERROR: repr(facts.test_error),
        MEAN_BASELINE: repr(facts.baseline("mean")),
        **{f"{TEST_ERROR}.{target}": repr(error) for target, error in facts.test_errors.items()},
    }


def _score(version: "ModelVersion") -> Score:
    tags = version.tags
    return Score(
        error=float(tags.get(TEST_ERROR, "nan")),
        mean_baseline=float(tags.get(MEAN_BASELINE, "nan")),
        test_set=tags.get(TEST_SET, f"unknown to version {version.version}"),
        provenance="rehearsal" if tags.get(PROVENANCE) == "rehearsal" else "simulation",
    )


def _by_alias(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
