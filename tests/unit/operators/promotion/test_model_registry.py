"""Registering, judging and promoting models in a real MLflow registry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.gate import DecisionDocument, PersonsWord
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.model import ModelFacts
from hpc_jobs.contract.records import publish_manifest, publish_model, sha256_of
from hpc_jobs.contract.report import Champion, GateReport, Proposal
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.training import Mlp
from hpc_jobs.contract.validation import Judgement, Limits, Verdict
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.learning.models.calibration import calibrate
from hpc_jobs.learning.models.inverse_model import CARD, EXAMPLE, WEIGHTS, InverseModel, ModelCard
from hpc_jobs.learning.models.trained_model import load_model
from operators.promotion.registry import champion, promote, propose, registered_name
from tests.harness.comparisons import comparison, contestant

TARGETS = tuple(f"MP{number}" for number in range(1, 9))
RNG = np.random.default_rng(0)
SPEC = Mlp(kind="mlp", components=8, hidden=(16,))
SHAPE = (2, 3, 18, 10)
SCALER = TargetScaler(targets=TARGETS, low=(0.5,) * 8, high=(1.5,) * 8)


def card_of(name: str) -> ModelCard:
    return ModelCard(
        name=name,
        network=SPEC,
        strain_shape=SHAPE,
        scaler=SCALER,
        noise_strain=5e-4,
        noise_force_relative=5e-3,
        novelty_components=4,
        campaign_fingerprint="f" * 64,
        dataset_sha256="d" * 64,
        dataset_generation=1,
        best_epoch=1,
        validation_loss=0.1,
        calibration=calibrate(RNG.normal(scale=0.01, size=(20, 8)), None, 0.9),
        parameters=1,
    )


class Registry:
    """A run with trained networks and their validations."""

    def __init__(self, bench: Any, run_id: str = "demo-1", campaign: str | None = None) -> None:
        # The registry is the server's, and so every other test's, too
        name = campaign or f"c{abs(hash(str(bench.home))) % 10**9}"
        self.bench, self.campaign = bench, name
        self.run: RunHandle = bench.open(run_id).model_copy(update={"campaign": name})
        self.client = bench.mlflow.client
        self.errors: dict[str, float] = {}

    @property
    def folder(self) -> RunFolder[Path]:
        return Workspace(Path(self.run.sites["cpu"].workspace)).run(self.run.run_id)

    def trained(self, name: str, error: float) -> Path:
        """Publish a network as a training does; its weights are random, its errors made up."""
        folder = self.folder.model(name)
        folder.mkdir(parents=True)
        torch.manual_seed(len(name))
        model = InverseModel(SPEC, SHAPE, SCALER, 4)
        model.network.inputs.mean.fill_(1.0)  # of the example below: strains have no other unit
        model.network.inputs.project.normal_()
        torch.save(model.state_dict(), folder / WEIGHTS)
        publish_model(folder / CARD, card_of(name))
        (folder / EXAMPLE).write_text(json.dumps(RNG.normal(size=(2, 1080)).tolist()))
        facts = ModelFacts(
            network="mlp",
            targets=TARGETS,
            strain_values=1080,
            dataset_sha256="d" * 64,
            test_set_sha256="a" * 64,
            validation_errors=dict.fromkeys(TARGETS, error / 8),
            test_errors=dict.fromkeys(TARGETS, error / 8),
            baselines={"mean": dict.fromkeys(TARGETS, 0.1)},
        )
        files = [folder / file for file in (WEIGHTS, CARD, EXAMPLE)]
        publish_manifest(folder / "manifest.json", "model", files, **facts.model_dump(mode="json"))
        return folder

    def validated(self, model: str, passed: bool = True, validation: str = "v1") -> None:
        verdict = Verdict(
            validation=validation,
            model=model,
            limits=Limits(),
            measurements={
                "dp780": Judgement(
                    verdict="pass" if passed else "fail",
                    quantities={},
                    novelty=1.0,
                    novelty_limit=2.0,
                )
            },
            passed=passed,
        )
        publish_model(self.folder.verdict(validation), verdict)

    def compared(
        self,
        model: str,
        error: float,
        validation: str = "v1",
        against: Any = "champion",
        **what: Any,
    ) -> None:
        """Publish what `compare` would have: errors are made up, identities are not."""
        rival = against
        if against == "champion":
            found = champion(self.campaign, self.bench.mlflow)
            tags = self.version(found.version).tags if found else {}
            old = {"sha256": tags["model.sha256"], "model": tags["model"]} if tags else {}
            rival = contestant(self.errors[tags["model"]], seed=2, **old) if tags else None
        self.errors[model] = error
        sha256 = sha256_of(self.folder.model(model) / "manifest.json")
        mine = contestant(error, seed=1, model=model, sha256=sha256)
        evidence = comparison(mine, rival, validation=validation, **what)
        publish_model(self.folder.comparison(validation), evidence)

    def version(self, number: str) -> Any:
        return self.client.get_model_version(registered_name(self.campaign), number)

    def judge(
        self, model: str, validation: str = "v1", word: PersonsWord | None = None
    ) -> GateReport:
        bench = self.bench
        return promote(
            self.run, model, validation, word, connect=bench.connect, mlflow=bench.mlflow
        )

    def propose(self, model: str, validation: str = "v1") -> Proposal:
        bench = self.bench
        return propose(self.run, model, validation, connect=bench.connect, mlflow=bench.mlflow)

    def made(self, name: str, error: float, **what: Any) -> GateReport:
        self.trained(name, error)
        self.validated(name, validation=f"v-{name}")
        self.compared(name, error, f"v-{name}", **what)
        return self.judge(name, f"v-{name}")

    def asks_a_person(self) -> None:
        """Let the frozen campaign want approval."""
        path = self.folder.campaign
        frozen = json.loads(path.read_text())
        frozen["campaign"]["gate"]["approval"] = True
        path.write_text(json.dumps(frozen))

    def document(self, validation: str) -> DecisionDocument:
        file = self.client.download_artifacts(self.run.mlflow_run_id, f"gate/{validation}.json")
        return DecisionDocument.model_validate_json(Path(file).read_text())

    def alias(self, alias: str) -> str | None:
        model = self.client.get_registered_model(registered_name(self.campaign))
        version = model.aliases.get(alias)
        return None if version is None else str(version)


@pytest.fixture
def registry(bench) -> Registry:
    return Registry(bench)


def test_the_first_champion_answers_from_raw_strains(registry: Registry):
    import mlflow

    folder = registry.trained("mlp", 0.02)
    registry.validated("mlp")
    registry.compared("mlp", 0.02)
    child = registry.client.create_run(
        registry.client.get_run(registry.run.mlflow_run_id).info.experiment_id,
        run_name="mlp",
        tags={"mlflow.parentRunId": registry.run.mlflow_run_id},
    ).info.run_id
    decision = registry.judge("mlp")
    assert decision.promoted and "there is no champion" in decision.reason
    assert decision.model == "mlp" and decision.version == "1"
    assert registry.alias("champion") == registry.alias("challenger") == "1"
    assert registry.alias("previous") is None
    [learned] = registry.client.get_run(child).inputs.dataset_inputs
    assert learned.dataset.name == "demo-1/dataset" and len(learned.dataset.digest) == 36

    mlflow.set_tracking_uri(registry.bench.mlflow.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{registered_name(registry.campaign)}@champion")
    strains = 0.5 * RNG.normal(size=(3, 1080))  # like those of the training
    answers = load_model(folder).predict(strains)
    assert np.ptp(answers) > 0.01
    np.testing.assert_array_equal(model.predict(strains), answers)
    metadata = model.metadata
    assert metadata.metadata["inputs"] == {"strains": [-1, 1080]}
    assert metadata.signature.outputs.input_names() == list(TARGETS)
    said = registry.client.get_registered_model(registered_name(registry.campaign)).description
    assert "`strains`: (n, 1080)" in said and ", ".join(TARGETS) in said
    assert metadata.metadata["targets"] == list(TARGETS)
    assert metadata.saved_input_example_info is not None

    version = registry.client.get_model_version(registered_name(registry.campaign), "1")
    assert version.run_id == child and version.tags["run_id"] == "demo-1"
    assert version.tags["dataset.sha256"] == "d" * 64
    found = champion(registry.campaign, registry.bench.mlflow)
    assert found == Champion(run_id=registry.run.run_id, model="mlp", version="1")


def test_a_better_challenger_takes_over_and_a_worse_one_does_not(registry: Registry):
    assert registry.made("first", 0.020).promoted
    worse = registry.made("second", 0.030)
    assert not worse.promoted and "50.0% above" in worse.reason
    assert registry.document("v-second").decision.failed[0].name == "better"
    assert (registry.alias("champion"), registry.alias("challenger")) == ("1", "2")
    better = registry.made("third", 0.010)
    assert better.promoted and better.champion_before == "1"
    aliases = [registry.alias(name) for name in ("champion", "previous", "challenger")]
    assert aliases == ["3", "1", "3"]
    other = registry.made("fourth", 0.001, against=None, not_comparable="its files are gone")
    assert not other.promoted and "its files are gone" in other.reason
    page = registry.client.download_artifacts(registry.run.mlflow_run_id, other.document)
    assert "its files are gone" in Path(page).read_text()


def test_a_failed_validation_is_no_champion(registry: Registry):
    registry.trained("mlp", 0.02)
    registry.validated("mlp", passed=False)
    registry.compared("mlp", 0.02)
    decision = registry.judge("mlp")
    assert not decision.promoted and "dp780" in decision.reason
    assert registry.alias("champion") is None
    assert champion(registry.campaign, registry.bench.mlflow) is None


def test_judging_again_says_the_same_and_makes_nothing_new(registry: Registry):
    registry.made("first", 0.020)
    second = registry.made("second", 0.010)
    assert registry.judge("second", "v-second") == second
    assert registry.alias("previous") == "1"
    name = registry.client.get_registered_model(registered_name(registry.campaign)).name
    assert len(registry.client.search_model_versions(f"name = '{name}'")) == 2
    registry.validated("second", validation="later")
    registry.compared("second", 0.010, "later")
    assert "champion already" in registry.judge("second", "later").reason


STEPS = (
    "log_model_artifacts",
    "finalize_logged_model",
    "create_model_version",
    "set_registered_model_alias",
    "set_model_version_tag",
    "update_model_version",
    "log_dict",
    "log_text",
)


def test_killed_after_each_step_in_turn_it_ends_the_same(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def dies(*args: Any, **kwargs: Any) -> None:
            real(*args, **kwargs)
            raise Killed

        return dies

    registry.made("first", 0.020)
    registry.trained("second", 0.010)
    registry.validated("second")
    registry.compared("second", 0.010)
    for step in STEPS:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(registry.client, step, dying(getattr(registry.client, step)))
            registry.judge("second")
    decision = registry.judge("second")
    assert decision.promoted and decision.version == "2"
    assert (registry.alias("champion"), registry.alias("previous")) == ("2", "1")
    document = registry.document("v1")
    assert document.decision.reason == decision.reason and document.champion_before == "1"
    assert document.comparison is not None and document.bootstrap_draws >= 1000
    assert (
        registry.client.get_run(registry.run.mlflow_run_id).data.tags["gate.decided_by"] == "rules"
    )


def test_a_champion_that_came_meanwhile_was_not_compared_with(registry: Registry):
    registry.made("first", 0.020)
    registry.trained("third", 0.010)
    registry.validated("third", validation="v-third")
    registry.compared("third", 0.010, "v-third")
    assert registry.made("second", 0.015).promoted
    late = registry.judge("third", "v-third")
    assert not late.promoted and "the champion changed" in late.reason
    registry.compared("third", 0.010, "v-third")
    assert registry.judge("third", "v-third").promoted


def test_where_a_person_is_asked_only_their_word_promotes(registry: Registry):
    registry.made("first", 0.020)
    registry.asks_a_person()
    for name in ("second", "third", "fourth"):
        registry.trained(name, 0.010)
        registry.validated(name, validation=f"v-{name}")
        registry.compared(name, 0.010, f"v-{name}")
    proposal = registry.propose("second", "v-second")
    assert proposal.ask and proposal.promoted and "dp780" in proposal.body
    assert registry.alias("champion") == "1"
    assert not registry.judge("second", "v-second").promoted  # nobody answered
    no = PersonsWord(answer="reject", by="bob", reason="a coil is on the line", at="now")
    rejected = registry.judge("third", "v-third", no)
    assert (rejected.promoted, rejected.decided_by) == (False, "bob")
    assert registry.document("v-third").decision.word == no
    assert registry.judge("third", "v-third") == rejected  # a retry does not forget it
    assert registry.alias("champion") == "1"
    yes = PersonsWord(answer="promote", by="ada", reason="fine")
    promoted = registry.judge("fourth", "v-fourth", yes)
    assert promoted.promoted and promoted.decided_by == "ada"
    assert registry.alias("champion") == promoted.version


def test_a_damaged_model_is_not_registered(registry: Registry):
    registry.trained("mlp", 0.02)
    registry.validated("mlp")
    registry.compared("mlp", 0.02)
    file = registry.folder.model("mlp") / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptFile, match=r"weights\.pt"):
        registry.judge("mlp")


def test_a_manifest_that_says_too_little_is_named(registry: Registry):
    folder = registry.folder.model("mlp")
    folder.mkdir(parents=True)
    publish_manifest(folder / "manifest.json", "model", [], network="mlp")
    with pytest.raises(CorruptFile, match=r"manifest\.json: targets: Field required"):
        registry.judge("mlp")


def test_a_comparison_of_another_model_is_refused(registry: Registry):
    registry.trained("mlp", 0.02)
    registry.validated("mlp")
    with pytest.raises(CorruptFile, match=r"comparison\.json: missing"):
        registry.judge("mlp")
    registry.trained("cnn", 0.02)
    registry.compared("cnn", 0.02)
    with pytest.raises(CorruptFile, match=r"compares model 'cnn'.*not 'mlp'"):
        registry.judge("mlp")


def test_a_verdict_about_another_model_is_refused(registry: Registry):
    registry.trained("mlp", 0.02)
    registry.validated("cnn")
    with pytest.raises(CorruptFile, match="judges model 'cnn', not 'mlp'"):
        registry.judge("mlp")
