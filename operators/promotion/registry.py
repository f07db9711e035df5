"""Trained networks in MLflow's registry: registered as challengers, judged, made champion.

A version's identity is the sha256 of its model's manifest, so that whatever is repeated finds what
it made before. Aliases: `challenger` the last one registered, `champion` the one to use, `previous`
the champion before it.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from hpc_jobs.contract.answers import key_of
from hpc_jobs.contract.gate import Comparison, Decision, DecisionDocument, Gate, PersonsWord
from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.report import Champion, GateReport, Proposal
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.validation import Verdict
from operators.hooks.hpc import Connect, open_session
from operators.hooks.mlflow import MlflowHook, literal
from operators.promotion import bootstrap
from operators.promotion.candidates import (
    Candidate,
    fetch_model,
    read_comparison,
    read_verdict,
)
from operators.promotion.document import html, markdown
from operators.promotion.gate import decide, with_word
from operators.runs.run import HANDLE, folder_of, read_frozen
from operators.tracking.packaging import layout_of, package_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
IDENTITY, MODEL, TEST_SET = "model.sha256", "model", "test_set.sha256"
TEST_ERROR, MEAN_BASELINE = "test_error", "mean_baseline"
PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Case:
    """A registered challenger and all that speaks for and against it."""

    run: RunHandle
    version: "ModelVersion"
    validation: str
    rules: Gate
    comparison: Comparison
    verdict: Verdict | None

    @property
    def key(self) -> str:
        """Tag under which the challenger's version remembers the decision."""
        return f"gate.{self.validation}"

    @property
    def question(self) -> str:
        """Identify what the gate is asked: other evidence is another question."""
        parts = (self.rules, self.comparison, self.verdict)
        text = "".join(part.model_dump_json() for part in parts if part is not None)
        return hashlib.sha256(text.encode()).hexdigest()


def promote(
    run: RunHandle,
    model: str,
    validation: str,
    word: PersonsWord | None = None,
    *,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> GateReport:
    """Register a model as challenger and let the gate decide on it; may be repeated.

    word: a person's, where the campaign's gate asks for one; none is no approval then.
    Raises CorruptFile where the model, the comparison or the verdict is not what its manifest or
    name says, ClusterError, TrackingUnavailable.
    """
    mlflow = mlflow or MlflowHook()
    client = mlflow.require()
    with _case(client, run, model, validation, connect) as case:
        if case.rules.approval and word is None:
            word = PersonsWord(answer="no answer")
        return pass_gate(client, case, word if case.rules.approval else None)


def propose(
    run: RunHandle,
    model: str,
    validation: str,
    *,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> Proposal:
    """Say what the rules decide, and whether a person is to be asked; moves no alias."""
    client = (mlflow or MlflowHook()).require()
    with _case(client, run, model, validation, connect) as case:
        before = by_alias(client, case.version.name, CHAMPION)
        decision = _decided(case, before)
        document = _document(case, decision, str(before.version) if before else None)
        return Proposal(
            promoted=decision.promoted,
            ask=decision.promoted and case.rules.approval,
            subject=f"Promote {model} to champion of {run.campaign}?",
            body=markdown(document),
            approval_days=case.rules.approval_days,
        )


@contextmanager
def _case(
    client: "MlflowClient", run: RunHandle, model: str, validation: str, connect: Connect
) -> Iterator[Case]:
    site = run.sites["cpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session, tempfile.TemporaryDirectory() as scratch:
        rules = read_frozen(session, folder).campaign.gate
        verdict = read_verdict(session, folder, validation, model)
        candidate = fetch_model(session, folder, model, Path(scratch) / "model")
        comparison = read_comparison(session, folder, validation, candidate)
        version = register(client, run, candidate)
    yield Case(run, version, validation, rules, comparison, verdict)


def registered_name(campaign: str) -> str:
    """Name of a campaign's registered model."""
    return f"{campaign}-material-identifier"


def champion(campaign: str, mlflow: MlflowHook | None = None) -> Champion | None:
    """Look up the campaign's champion."""
    client = (mlflow or MlflowHook()).require()
    found = by_alias(client, registered_name(campaign), CHAMPION)
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
        client.update_registered_model(name, layout_of(candidate.folder))
        version = client.create_model_version(
            name,
            f"models:/{model_id}",
            training,
            tags=_tags(run, candidate),
            model_id=model_id,
        )
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return client.get_model_version(name, version.version)


def pass_gate(client: "MlflowClient", case: Case, word: PersonsWord | None = None) -> GateReport:
    """Decide, remember the decision, then move the aliases: a retry ends where this would have."""
    version, name = case.version, case.version.name
    before = by_alias(client, name, CHAMPION)
    known = json.loads(version.tags.get(case.key, "{}"))
    mine = str(version.version)
    rival = str(before.version) if before else None
    if known.get("question") == case.question and rival in (known["champion"], mine):
        rival = known["champion"]
        before = client.get_model_version(name, rival) if rival else None
        remembered = known["word"] and PersonsWord.model_validate(known["word"])
        decision = with_word(_decided(case, before), remembered)
    else:
        decision = with_word(_decided(case, before), word)
        said = decision.word.model_dump() if decision.word else None
        memory = {"question": case.question, "champion": rival, "word": said}
        client.set_model_version_tag(name, mine, case.key, json.dumps(memory))
    if decision.promoted:
        if rival is not None:
            client.set_registered_model_alias(name, PREVIOUS, rival)
        client.set_registered_model_alias(name, CHAMPION, mine)
    document = _document(case, decision, rival)
    client.update_model_version(name, mine, decision.reason)
    _log_document(client, case.run, document)
    log.info("%s version %s: %s", name, mine, decision.reason)
    return _report(case, decision, rival)


def _decided(case: Case, before: "ModelVersion | None") -> Decision:
    """Decide by the rules, unless the evidence is about another champion than there is now."""
    if before is not None and before.tags[IDENTITY] == case.version.tags[IDENTITY]:
        return Decision(promoted=False, reason="not promoted: it is the champion already")
    asked, now = case.comparison.champion, before.tags[IDENTITY] if before else None
    if (asked.sha256 if asked else None) != now and not case.comparison.not_comparable:
        return Decision(
            promoted=False,
            reason="not promoted: the champion changed since the two were compared; clear the "
            "task find_rival and all that comes after it",
        )
    return decide(case.comparison, case.rules, case.verdict)


def _document(case: Case, decision: Decision, rival: str | None) -> DecisionDocument:
    judged = case.verdict.measurements if case.verdict else {}
    return DecisionDocument(
        campaign=case.run.campaign,
        run_id=case.run.run_id,
        model=case.version.tags[MODEL],
        validation=case.validation,
        registered_model=case.version.name,
        version=str(case.version.version),
        champion_before=rival,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        decision=decision,
        rules=case.rules,
        bootstrap_seed=bootstrap.SEED,
        bootstrap_draws=bootstrap.DRAWS,
        comparison=case.comparison,
        verdict={name: one.verdict for name, one in judged.items()},
    )


def _log_document(client: "MlflowClient", run: RunHandle, document: DecisionDocument) -> None:
    """Keep a decision, refusals and rejections too, as data and as a page."""
    name = f"gate/{document.validation}"
    client.log_dict(run.mlflow_run_id, document.model_dump(mode="json"), f"{name}.json")
    client.log_text(run.mlflow_run_id, html(document), f"{name}.html")
    client.set_tag(run.mlflow_run_id, "gate", document.decision.reason[:5000])
    client.set_tag(run.mlflow_run_id, "gate.decided_by", document.decision.decided_by)


def _report(case: Case, decision: Decision, rival: str | None) -> GateReport:
    comparison = case.comparison
    return GateReport(
        promoted=decision.promoted,
        reason=decision.reason,
        model=case.version.tags[MODEL],
        validation=case.validation,
        registered_model=case.version.name,
        version=str(case.version.version),
        champion_before=rival,
        test_error=comparison.challenger.loss,
        mean_baseline=comparison.sealed.mean_loss,
        champion_error=comparison.champion.loss if comparison.champion else None,
        test_set=f"v{comparison.sealed.version}, {comparison.sealed.records} records",
        decided_by=decision.decided_by,
        document=f"gate/{case.validation}.html",
    )


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
        **{
            f"{TEST_ERROR}.{key_of(target)}": repr(error)
            for target, error in facts.test_errors.items()
        },
    }


def by_alias(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """Look up the version that an alias stands at, if the model and the alias are there."""
    # Searched for, not asked for: where MLflow has users, only its administrator is told that a
    # model does not exist yet; everyone else is forbidden to ask.
    for model in client.search_registered_models(f"name = '{literal(name)}'"):
        if version := model.aliases.get(alias):
            return client.get_model_version(name, version)
    return None
