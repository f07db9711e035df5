"""Against whom a challenger stands: a champion outlives its run, for MLflow keeps the network."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.report import Rival
from hpc_jobs.learning.models.trained_model import load_model
from operators.promotion.rival import find_rival
from tests.unit.operators.promotion.test_model_registry import Registry


@pytest.fixture
def registry(bench: Any) -> Registry:
    registry = Registry(bench)
    assert registry.made("first", 0.010).promoted
    return registry


def found(registry: Registry) -> Rival:
    return find_rival(registry.run, connect=registry.bench.connect, mlflow=registry.bench.mlflow)


def champions(registry: Registry) -> Path:
    workspace = Workspace(Path(registry.run.sites["gpu"].workspace))
    return workspace.champion("").parent / "champions"


def test_a_champion_whose_run_is_there_is_asked_there(registry):
    rival = found(registry)
    assert (rival.run_id, rival.model) == (registry.run.run_id, "first")
    assert not champions(registry).exists()


def test_a_champion_whose_run_has_expired_is_brought_back_from_mlflow(registry):
    before = load_model(registry.folder.model("first"))
    shutil.rmtree(registry.folder.root)
    rival = found(registry)
    again = load_model(champions(registry) / rival.sha256 / rival.model)
    assert again.sha256 == before.sha256 == rival.sha256
    assert not registry.folder.root.exists()  # a run that is gone stays gone
    assert found(registry) == rival  # a retry finds it


@pytest.mark.parametrize("purged", ["manifest.json", "weights.pt"])
def test_a_champion_of_which_files_were_purged_is_brought_back_too(registry, purged):
    (registry.folder.model("first") / purged).unlink()
    rival = found(registry)
    assert load_model(champions(registry) / rival.sha256 / rival.model).sha256 == rival.sha256


def test_a_copy_that_is_not_what_was_registered_is_not_put_anywhere(registry, caplog):
    shutil.rmtree(registry.folder.root)
    version = registry.version("1")
    registry.client.set_model_version_tag(version.name, "1", "model.sha256", "0" * 64)
    found(registry)
    assert not champions(registry).exists()
    assert "no whole copy" in caplog.text
