"""Whatever is broken or hostile is refused by name, and no code that it carries is run.

One table per door: what is done to the input, and words of the refusal.
"""

import io
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import ContractError, CorruptFile
from hpc_jobs.contract.records import publish_manifest, read_manifest
from hpc_jobs.learning.errors import BadInput
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.learning.training.checkpoint import Checkpoints
from tests.unit.learning.records import solve


class Evil:
    """Makes a folder wherever it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (os.mkdir, (str(self.folder),))


def vouch_again(folder):
    """Make the manifest match what lies in the folder, as a forger would."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    publish_manifest(folder / "manifest.json", "model", files)


# --- strains ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0])


@pytest.fixture(scope="module")
def strains(trained):
    parameters = np.random.default_rng(5).uniform(0.92, 1.08, (6, 8))
    return solve(parameters, trained[1].specimens.strain_values)


def with_value(value, record=3):
    def spoil(strains):
        strains[record, 17] = value
        return strains

    return spoil


def scaled(factor):
    def spoil(strains):
        strains[2] *= factor
        return strains

    return spoil


SHAPE = r"takes \(records, 240\), laid out \(2, 3, 8, 5\)"
STRAINS = {
    "one record without its axis": (lambda s: s[0], SHAPE),
    "a value short": (lambda s: s[:, :-1], SHAPE),
    "no records": (lambda s: s[:0], SHAPE),
    "an axis too many": (lambda s: s.reshape(6, 2, 120), SHAPE),
    "a single number": (lambda s: 0.05, SHAPE),
    "NaN": (with_value(np.nan), r"record 3 \(1 of 6 records\)"),
    "infinity": (with_value(np.inf), r"record 3 \(1 of 6 records\)"),
    "beyond float32": (with_value(1e300), r"record 3 \(1 of 6 records\)"),
    "text": (lambda s: s.astype(str), "not numbers"),
    "complex": (lambda s: s + 1j, "not numbers"),
    "objects": (lambda s: [[None] * 240], "not numbers"),
    "unequal rows": (lambda s: [[0.05] * 240, [0.05] * 239], "give equal rows"),
    "in per cent": (scaled(1e2), r"record 2 \(1 of 6 records\) are .* as if in per cent"),
    "in per mille": (scaled(1e3), "as if in per mille"),
    "in microstrain": (scaled(1e6), "as if in microstrain"),
    "divided by a hundred": (scaled(1e-2), "as if divided by a hundred"),
}


@pytest.mark.parametrize(("spoil", "words"), STRAINS.values(), ids=STRAINS)
def test_strains(model, strains, spoil, words):
    for ask in (model.predict, model.novelty):
        with pytest.raises(BadInput, match=words):
            ask(spoil(strains.copy()))


# --- the folder of a trained network ---------------------------------------------------------


def altered(name):
    def spoil(folder):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return spoil


def forged(name, content):
    """Other content, vouched for."""

    def spoil(folder):
        made = content(folder) if callable(content) else content
        (folder / name).write_bytes(made)
        vouch_again(folder)

    return spoil


def card(**changes):
    """A card that says something else, at any depth, vouched for."""

    def content(folder):
        document = json.loads((folder / "model.json").read_text())
        for key, value in changes.items():
            *above, last = key.split("__")
            place = document
            for name in above:
                place = place[name]
            place[last] = value
        return json.dumps(document).encode()

    return forged("model.json", content)


def manifest(**changes):
    def spoil(folder):
        document = json.loads((folder / "manifest.json").read_text())
        document["files"][0] |= changes
        (folder / "manifest.json").write_text(json.dumps(document))

    return spoil


def state(change):
    """Weights that were changed and are vouched for."""

    def spoil(folder):
        values = torch.load(folder / "weights.pt", weights_only=True)
        torch.save(change(values) or values, folder / "weights.pt")
        vouch_again(folder)

    return spoil


def linked_out(folder):
    outside = folder.parent / "outside.pt"
    shutil.move(folder / "weights.pt", outside)
    (folder / "weights.pt").symlink_to(outside)


def not_vouched(folder):
    publish_manifest(folder / "manifest.json", "model", [folder / "model.json"])


def poisoned(values):
    values["low"][2] = torch.nan


WEIGHTS = r"weights\.pt: not the weights that model\.json describes"
FOLDER = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), r"manifest\.json: missing"),
    "a manifest of something else": (
        lambda f: publish_manifest(f / "manifest.json", "dataset", []),
        "kind 'dataset', expected 'model'",
    ),
    "weights without a manifest's word": (not_vouched, r"does not vouch for weights\.pt"),
    "a path out of the folder": (manifest(path="../../x"), r"'\.\./\.\./x' leaves the manifest's"),
    "an absolute path": (manifest(path="/etc/passwd"), "'/etc/passwd' leaves the manifest's"),
    "a link out of the folder": (linked_out, r"weights\.pt: a link to .*outside\.pt, out of"),
    "an altered card": (altered("model.json"), r"model\.json: sha256"),
    "altered weights": (altered("weights.pt"), r"weights\.pt: sha256"),
    "altered metrics": (altered("metrics.json"), r"metrics\.json: sha256"),
    "a card of bytes": (forged("model.json", b"\x89\xff\x00"), r"model\.json: not a ModelCard"),
    "an endless card": (forged("model.json", b"[" * 100_000), r"model\.json: not a ModelCard"),
    "another architecture": (card(network__hidden=[33]), WEIGHTS),
    "another family of networks": (
        card(network={"kind": "multitask_cnn", "channels": 4}),
        "multitask_cnn|not the weights|MB of weights",
    ),
    "terabytes of hidden units": (
        card(network__hidden=[10**7, 10**7]),
        r"describes 400,.* MB of weights, weights\.pt is 0\.",
    ),
    "more units than can be counted": (card(network__hidden=[10**18] * 8), "describes no network"),
    "terabytes of novelty": (card(novelty_components=10**11), "MB of weights"),
    "endless strains": (card(strain_shape=[10**6, 10**6, 10**6, 10**6]), "describes no network"),
    "negative strains": (card(strain_shape=[-2, -3, 8, 5]), r"strain_shape\.0: .*greater than 0"),
    "fewer ranges than targets": (card(scaler__low=[0.0]), WEIGHTS),
    "a range that is no number": (card(scaler__low=[float("nan")] * 8), "finite"),
    "weights that are not finite": (state(poisoned), "'low' is not finite"),
    "weights that are no weights": (state(lambda values: [torch.zeros(20_000)]), WEIGHTS),
    "weights cut short": (
        forged("weights.pt", lambda f: (f / "weights.pt").read_bytes()[:-200]),
        WEIGHTS + "|MB of weights",
    ),
    "bytes for weights": (forged("weights.pt", bytes(range(256)) * 400), WEIGHTS),
}


@pytest.mark.parametrize(("spoil", "words"), FOLDER.values(), ids=FOLDER)
def test_the_folder_of_a_model(trained_copy, spoil, words):
    spoil(trained_copy)
    with pytest.raises(CorruptFile, match=words):
        load_model(trained_copy)


def numpys(evil):
    buffer = io.BytesIO()
    np.savez(buffer, low=np.array([evil], dtype=object), padding=np.zeros(20_000))
    return buffer.getvalue()


PICKLES = {
    "by torch": lambda evil, path: torch.save({"low": evil}, path),
    "by torch as of old": lambda evil, path: torch.save(
        {"low": evil}, path, _use_new_zipfile_serialization=False
    ),
    "bare": lambda evil, path: path.write_bytes(pickle.dumps({"low": evil}) + bytes(100_000)),
    "in numpy's archive": lambda evil, path: path.write_bytes(numpys(evil)),
}


@pytest.mark.parametrize("save", PICKLES.values(), ids=PICKLES)
def test_pickled_code_in_the_weights(trained_copy, tmp_path, save):
    save(Evil(tmp_path / "executed"), trained_copy / "weights.pt")
    vouch_again(trained_copy)
    with pytest.raises(CorruptFile, match=WEIGHTS + "|MB of weights"):
        load_model(trained_copy)
    assert not (tmp_path / "executed").exists()


def test_a_random_byte_anywhere_in_forged_weights_is_refused_or_harmless(trained_copy):
    """Damage ends as CorruptFile or in weights that are read: never in another error."""
    rng, path = np.random.default_rng(0), trained_copy / "weights.pt"
    whole = path.read_bytes()
    for _ in range(60):
        spoiled = bytearray(whole)
        for place in rng.integers(len(whole), size=8):
            spoiled[place] = rng.integers(256)
        path.write_bytes(spoiled[: rng.integers(1, len(whole)) if rng.random() < 0.3 else None])
        vouch_again(trained_copy)
        try:
            load_model(trained_copy)
        except CorruptFile as error:
            assert "model" in str(error)


# --- checkpoints -----------------------------------------------------------------------------


CHECKPOINTS = {
    "of another training": {"identity": "another"},
    "no mapping": [1, 2],
    "nothing": None,
}


@pytest.mark.parametrize("content", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_foreign_checkpoint_is_left_alone_and_named(tmp_path, caplog, content):
    torch.save(content, tmp_path / "epoch-000001-step-00000000.pt")
    assert Checkpoints(tmp_path, "mine").latest() is None
    assert "epoch-000001-step-00000000.pt" in caplog.text


@pytest.mark.parametrize("save", PICKLES.values(), ids=PICKLES)
def test_pickled_code_in_a_checkpoint(tmp_path, caplog, save):
    path = tmp_path / "checkpoints" / "epoch-000001-step-00000000.pt"
    path.parent.mkdir()
    save(Evil(tmp_path / "executed"), path)
    assert Checkpoints(path.parent, "mine").latest() is None
    assert f"{path.name} cannot be read" in caplog.text
    assert not (tmp_path / "executed").exists()


# --- manifests -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["..", "a/../../b", "/etc/passwd", "", "a\\..\\b", "a\0b"])
def test_a_manifest_never_leads_out_of_its_folder(tmp_path, path):
    entry = {"path": path, "bytes": 0, "sha256": "0" * 64}
    text = json.dumps({"kind": "shard", "files": [entry]})
    (tmp_path / "shard.json").write_text(text)
    with pytest.raises(CorruptFile, match="leaves the manifest's folder"):
        read_manifest(tmp_path / "shard.json", "shard")


def test_a_folder_in_a_manifests_place(tmp_path):
    with pytest.raises(CorruptFile, match="not a file"):
        read_manifest(tmp_path, "shard")


def test_all_refusals_are_of_the_contract():
    assert issubclass(BadInput, ContractError) and issubclass(CorruptFile, ContractError)
