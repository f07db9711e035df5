"""Whatever is broken or hostile is refused by name, and no code that it carries is run.

One table per door: what is done to the input, and words of the refusal.
"""

import io
import json
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import BadInput, ConfigurationError, ContractError, CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import publish_manifest, read_manifest
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.design.rounds import read_round
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tracking.spool import Spool
from tests.unit.learning.records import campaign_of, fill_round, solve


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
    "gigabytes of hidden units": (
        card(network__hidden=[16_384] * 8),
        r"describes 7,.* MB of weights, weights\.pt is 0\.",
    ),
    "more units than can be counted": (card(network__hidden=[10**18] * 8), r"hidden\.0.*16384"),
    "terabytes of novelty": (card(novelty_components=10**11), "MB of weights"),
    "endless strains": (card(strain_shape=[10**6, 10**6, 10**6, 10**6]), "describes no network"),
    "negative strains": (card(strain_shape=[-2, -3, 8, 5]), r"strain_shape\.0: .*greater than 0"),
    "fewer ranges than targets": (card(scaler__low=[0.0]), "8 targets with the ranges"),
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


# --- shards, as they are packed --------------------------------------------------------------


def column(name, change):
    """A shard whose column is something else, vouched for."""

    def spoil(run):
        path = run.shard(0, 0)
        records = json.loads(manifest_of(path).read_text())["facts"]["records"]
        with h5py.File(path, "a") as file:
            values = file.pop(name)[...]
            change(file, name, values)
        publish_manifest(manifest_of(path), "shard", [path], records=records)

    return spoil


def elsewhere(file, name, values):
    with h5py.File(Path(file.filename).with_name("elsewhere.h5"), "w") as other:
        other[name] = values
    file[name] = h5py.ExternalLink("elsewhere.h5", name)


def raw(file, name, values):
    """The values in a file beside the HDF5 file, as the format allows."""
    (Path(file.filename).with_name("raw.bin")).write_bytes(values.tobytes())
    file.create_dataset(
        name, values.shape, values.dtype, external=[("raw.bin", 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file, name, values):
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource("elsewhere.h5", name, values.shape)
    file.create_virtual_dataset(name, layout)


def stored(convert):
    def change(file, name, values):
        file[name] = convert(values)

    return change


def cut(run):
    path = run.shard(0, 0)
    path.write_bytes(path.read_bytes()[:-3000])


def cut_and_vouched_for(run):
    cut(run)
    publish_manifest(manifest_of(run.shard(0, 0)), "shard", [run.shard(0, 0)], records=50)


def facts(number_of, **changes):
    def spoil(run):
        path = number_of(run)
        document = json.loads(path.read_text())
        document["facts"] |= changes
        path.write_text(json.dumps(document))

    return spoil


def first_shard(run):
    return manifest_of(run.shard(0, 0))


def nan_where_good(values):
    values[0] = np.nan
    return values


OF_THE_SHARD = r"shard-00000\.h5: '{}' {}"
SHARDS = {
    "cut short": (cut, r"shard-00000\.h5: \d+ bytes, its manifest says"),
    "cut short, vouched for": (cut_and_vouched_for, "damaged"),
    "a column in another file": (
        column("strains", elsewhere),
        OF_THE_SHARD.format("strains", "is a link to elsewhere"),
    ),
    "a column in a raw file": (column("strains", raw), "keeps its values in other files"),
    "a virtual column": (column("strains", virtual), "keeps its values in other files"),
    "a link to nowhere": (
        column("strains", lambda file, name, _: file.update({name: h5py.SoftLink("/x")})),
        "is a link to",
    ),
    "a group": (column("strains", lambda file, name, _: file.create_group(name)), "is a group"),
    "no column": (column("forces", lambda *_: None), "no dataset 'forces'"),
    "text": (column("forces", stored(lambda v: v.astype("S8"))), "'forces' holds .*S8"),
    "complex": (column("strains", stored(lambda v: v + 1j)), "'strains' holds complex64"),
    "a record too few": (column("strains", stored(lambda v: v[:-1])), r"shape \(49, 240\)"),
    "other targets": (column("parameters", stored(lambda v: v[:, :5])), r"shape \(50, 5\)"),
    "an unknown status": (column("status", stored(lambda v: v + 99)), "has the status 99"),
    "NaN in a good record": (column("strains", stored(nan_where_good)), "are not finite"),
    "records that are no number": (facts(first_shard, records="many"), r"says what .*records"),
    "fewer than no records": (facts(first_shard, records=-1), r"says what .*records"),
    "more shards than can be": (
        facts(lambda run: manifest_of(run.design(0)), shards=10**12),
        r"kind 'design' says what .*shards",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), SHARDS.values(), ids=SHARDS)
def test_a_shard(run, campaign, spoil, words):
    spoil(run)
    with pytest.raises(CorruptFile, match=words):
        publish_dataset(run, campaign)
    assert not run.dataset_manifest.exists()


# --- the packed dataset ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed_once(tmp_path_factory):
    run, campaign = RunFolder(tmp_path_factory.mktemp("packed")), campaign_of()
    fill_round(run, campaign)
    publish_dataset(run, campaign)
    return run


@pytest.fixture
def packed(packed_once, tmp_path):
    return RunFolder(Path(shutil.copytree(packed_once.root, tmp_path / "run")))


def in_packed(change):
    """The packed training file is something else, vouched for."""

    def spoil(run):
        [path] = (run.dataset / "packed").glob("train-*.h5")
        with h5py.File(path, "a") as file:
            change(file, "strains", file.pop("strains")[...])
        revouch(run)

    return spoil


def revouch(run, **changes):
    manifest = json.loads(run.dataset_manifest.read_text())
    files = [run.dataset / entry["path"] for entry in manifest["files"]]
    publish_manifest(run.dataset_manifest, "dataset", files, **manifest["facts"] | changes)


def spectra(content):
    def spoil(run):
        [path] = (run.dataset / "packed").glob("*.npz")
        path.write_bytes(content(path))
        revouch(run)

    return spoil


def chunked(file, name, values):
    file.create_dataset(name, data=values, chunks=(10, 240))


def says(**changes):
    return lambda run: revouch(run, **changes)


PACKED = {
    "a chunked column": (in_packed(chunked), "'strains' is chunked"),
    "float64": (in_packed(stored(lambda v: v.astype("f8"))), "'strains' holds <f8"),
    "big-endian": (in_packed(stored(lambda v: v.astype(">f4"))), "'strains' holds >f4"),
    "integers": (in_packed(stored(lambda v: v.astype("i8"))), "'strains' holds .*int64"),
    "one dimension": (in_packed(stored(np.ravel)), "'strains' holds <f4 of shape"),
    "a record too few": (in_packed(stored(lambda v: v[:-1])), "columns of unequal length"),
    "no strains": (in_packed(lambda *_: None), "no column 'strains'"),
    "a column in another file": (in_packed(elsewhere), "'strains' is a link to elsewhere"),
    "a column in a raw file": (in_packed(raw), "keeps its values in other files"),
    "files that nobody vouches for": (
        says(train_files=["../../other/train.h5"]),
        r"names '\.\./\.\./other/train\.h5', but does not vouch for it",
    ),
    "a scaler without ranges": (
        says(scaler={"targets": ["MP1"], "low": [], "high": []}),
        "scaler: .*1 targets with the ranges",
    ),
    "no facts": (says(train=None), "not what this version writes .train: "),
    "bytes for spectra": (spectra(lambda path: bytes(1000)), "not the spectra of a dataset"),
    "spectra cut short": (spectra(lambda p: p.read_bytes()[:-500]), "not the spectra"),
    "pickled code for spectra": (spectra(lambda p: numpys(Evil(p.parent / "run"))), "not the spec"),
}


@pytest.mark.parametrize(("spoil", "words"), PACKED.values(), ids=PACKED)
def test_a_packed_dataset(packed, spoil, words):
    spoil(packed)
    with pytest.raises(CorruptFile, match=words):
        open_dataset(packed, 0.1)
    assert not (packed.dataset / "packed" / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"scaler": {"targets": [f"A{i}" for i in range(8)], "low": [0] * 8, "high": [1] * 8}},
            r"targets \('A0', .* the campaign has \('MP1'",
        ),
        ({"strain_shape": [2, 3, 5, 8]}, r"laid out \(2, 3, 5, 8\), the campaign has \(2, 3, 8, 5"),
    ],
)
def test_a_dataset_of_another_campaign_is_not_trained_on(packed, changes, words):
    revouch(packed, **changes)
    campaign = campaign_of()
    spec, quiet = campaign.training.networks[1], {"progress": print, "stop": lambda: False}
    with (
        Spool(packed.root / "spool", name="x") as spool,
        pytest.raises(ConfigurationError, match=words),
    ):
        train_network(packed, campaign, spec, "x", spool=spool, **quiet)


DESIGNS = {
    "bytes": lambda path: bytes(500),
    "nothing": lambda path: b"",
    "an empty archive": lambda path: b"PK\5\6" + bytes(18),
    "pickled code": lambda path: numpys(Evil(path.parent / "run")),
}


@pytest.mark.parametrize("content", DESIGNS.values(), ids=DESIGNS)
def test_the_design_of_a_round(run, content):
    path = run.design(0)
    path.write_bytes(content(path))
    publish_manifest(manifest_of(path), "design", [path])
    with pytest.raises(CorruptFile, match=r"round-000\.npz: not the design of a round"):
        read_round(run, 0)
    assert not (path.parent / "run").exists()


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
