"""Files are answered block by block, whole or not at all."""

import csv
import os
import re
import shutil

import h5py
import numpy as np
import pytest
import torch

from hpc_jobs.contract.records import publish_manifest
from hpc_jobs.learning.models import runtimes
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.tools import export, predict
from tests.unit.learning.records import solve
from tests.unit.learning.test_hostile_inputs import Evil


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0])


@pytest.fixture(scope="module")
def strains(trained):
    parameters = np.random.default_rng(5).uniform(0.92, 1.08, (37, 8))
    return solve(parameters, trained[1].specimens.strain_values)


def ask(*arguments):
    predict.main([str(one) for one in arguments])


def rows_of(path):
    with path.open() as file:
        head, *rows = csv.reader(file)
    return head, np.array([row[:-1] for row in rows], dtype=float)


def reasons_of(path):
    with path.open() as file:
        return [row["reason"] for row in csv.DictReader(file)]


def test_a_stranger_has_a_reason_and_no_answer(trained, strains, tmp_path, capsys):
    strange = np.vstack([strains[:2], np.zeros((1, strains.shape[1]))])
    np.save(tmp_path / "x.npy", strange)
    ask(trained[0], tmp_path / "x.npy", "--out", tmp_path / "o.csv")
    rows = rows_of(tmp_path / "o.csv")[1]
    assert np.isfinite(rows[:2]).all() and np.isnan(rows[2, 1:-1]).all() and rows[2, -1] > 1
    assert reasons_of(tmp_path / "o.csv")[:2] == ["", ""]
    assert "unlike all training records" in reasons_of(tmp_path / "o.csv")[2]
    assert "1 are unlike the training records, and not answered" in capsys.readouterr().err


@pytest.mark.parametrize("runtime", ["eager", "exported"])
def test_every_record_is_answered_with_its_interval_and_novelty(
    trained, model, strains, tmp_path, capsys, runtime
):
    np.save(tmp_path / "strains.npy", strains)
    out = tmp_path / "new" / "out.csv"
    ask(trained[0], tmp_path / "strains.npy", "--out", out, "--block", 10, "--runtime", runtime)
    head, rows = rows_of(out)
    assert head[:5] == ["record", "MP1", "MP1_low", "MP1_high", "MP2"] and head[-2:] == [
        "novelty",
        "reason",
    ]
    low, high = model.intervals(strains)
    np.testing.assert_array_equal(rows[:, 0], np.arange(37))
    np.testing.assert_allclose(rows[:, 1:-1:3], model.predict(strains), rtol=1e-5)
    np.testing.assert_allclose(rows[:, 2:-1:3], low, rtol=1e-5)
    np.testing.assert_allclose(rows[:, 3:-1:3], high, rtol=1e-5)
    np.testing.assert_allclose(rows[:, -1], model.novelty(strains), rtol=1e-5)
    assert re.search(
        rf"37 records in .* a second with {runtime} .*; 0 are", capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["shard.h5", "shard.hdf5"])
def test_hdf5_is_answered_and_so_is_a_single_record(trained, model, strains, tmp_path, name):
    for values in (strains, strains[4]):
        with h5py.File(tmp_path / name, "w") as file:
            file["strains"] = values
        ask(trained[0], tmp_path / name, "--out", tmp_path / "out.csv", "--block", 36)
        expected = model.predict(np.atleast_2d(values))
        np.testing.assert_allclose(rows_of(tmp_path / "out.csv")[1][:, 1:-1:3], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "dataset", "kind"),
    [("shard.h5", "strains", "f4"), ("lab.H5", "Strain", "f8"), ("half.hdf5", "STRAINS", "f2")],
)
def test_types_and_names_are_read_as_people_write_them(
    trained, model, strains, tmp_path, name, dataset, kind
):
    with h5py.File(tmp_path / name, "w") as file:
        file[dataset] = strains.astype(kind)
    ask(trained[0], tmp_path / name, "--out", tmp_path / "out.csv")
    expected = model.predict(strains.astype(kind))
    np.testing.assert_allclose(rows_of(tmp_path / "out.csv")[1][:, 1:-1:3], expected, rtol=1e-5)


def test_a_bad_record_leaves_the_old_answers_and_nothing_half_done(trained, strains, tmp_path):
    spoiled = strains.copy()
    spoiled[25, 3] = np.nan
    np.save(tmp_path / "strains.npy", spoiled)
    (tmp_path / "out.csv").write_text("old")
    words = r"records from 20 on, counted from there: strains of record 5 .* not all finite"
    with pytest.raises(SystemExit, match=words):
        ask(trained[0], tmp_path / "strains.npy", "--out", tmp_path / "out.csv", "--block", 10)
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "strains.npy"]


def write(content):
    return lambda path: path.write_bytes(content)


def array(values):
    return lambda path: np.save(path, values(path) if callable(values) else values)


def hdf5(values):
    def make(path):
        with h5py.File(path, "w") as file:
            if values is not None:
                file["strains"] = values

    return make


def cut(path):
    np.save(path, np.full((9, 240), 0.05))
    os.truncate(path, 5000)


FILES = {
    "no HDF5": ("x.h5", write(b"no HDF5"), r"x\.h5: no HDF5 file"),
    "no dataset": ("x.h5", hdf5(None), r"x\.h5: no dataset 'strains'"),
    "a link": ("x.h5", hdf5(h5py.ExternalLink("/etc/passwd", "x")), "is a link to /etc/passwd"),
    "text": ("x.h5", hdf5("0.05"), "'strains' holds object, expected"),
    "a number": ("x.h5", hdf5(0.05), r"strains have shape \(\)"),
    "no numpy": ("x.npy", write(b"0.05, 0.05"), r"x\.npy: no strains in it"),
    "empty": ("x.npy", write(b""), r"x\.npy: no strains in it"),
    "cut short": ("x.npy", cut, r"x\.npy: no strains in it .*mmap"),
    "three axes": ("x.npy", array(np.zeros((2, 3, 4))), r"strains have shape \(2, 3, 4\)"),
    "no records": ("x.npy", array(np.zeros((0, 240))), r"strains have shape \(0, 240\)"),
    "complex": ("x.npy", array(np.zeros((1, 240), complex)), "type complex128"),
    "pickled code": (
        "x.npy",
        array(lambda path: np.array([[Evil(path.parent / "run")]], dtype=object)),
        r"x\.npy: no strains in it",
    ),
    "CSV": ("x.csv", write(b"0.05,0.05"), "an unknown kind of file; .* import_measurement"),
    "nothing": ("x.npy", lambda path: None, r"x\.npy: no strains in it .*No such file"),
    "another layout": ("x.npy", array(np.full((2, 7), 0.05)), r"takes \(records, 240\)"),
    "per cent": ("x.npy", array(np.full((2, 240), 5.0)), "as if in per cent"),
}


@pytest.mark.parametrize(("name", "make", "words"), FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused(trained, tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(SystemExit, match=words):
        ask(trained[0], tmp_path / name, "--out", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists() and not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def exported_once(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "m"
    shutil.copytree(trained[0], folder)
    export.main([str(folder)])
    return folder


def test_a_published_onnx_file_is_what_answers(
    exported_once, model, strains, tmp_path, monkeypatch
):
    monkeypatch.setattr(runtimes, "export_onnx", None)  # nothing is exported anew
    np.save(tmp_path / "x.npy", strains)
    ask(exported_once, tmp_path / "x.npy", "--out", tmp_path / "o.csv", "--runtime", "onnxruntime")
    expected = model.predict(strains)
    np.testing.assert_allclose(rows_of(tmp_path / "o.csv")[1][:, 1:-1:3], expected, rtol=1e-4)


def altered(folder):
    content = bytearray((folder / "exported" / "network.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "exported" / "network.onnx").write_bytes(content)


def pickle_for_a_program(folder):
    path = folder / "exported" / "network.pt2"
    torch.save({"x": Evil(folder / "run")}, path)


def of_another_training(folder):
    files = [folder / "exported" / name for name in ("network.onnx", "network.pt2")]
    publish_manifest(folder / "exported/manifest.json", "exported", files, model_sha256="0" * 64)


EXPORTED = {
    "an altered ONNX file": (altered, r"network\.onnx: sha256"),
    "a pickle for a program": (pickle_for_a_program, r"network\.pt2: .* its manifest says"),
    "of another training": (of_another_training, "exported from another training of m"),
}


@pytest.mark.parametrize(("spoil", "words"), EXPORTED.values(), ids=EXPORTED)
def test_exported_files_that_were_altered_are_not_run(
    exported_once, strains, tmp_path, spoil, words
):
    folder = shutil.copytree(exported_once, tmp_path / "m")
    spoil(folder)
    np.save(tmp_path / "x.npy", strains)
    with pytest.raises(SystemExit, match=words):
        ask(folder, tmp_path / "x.npy", "--runtime", "onnxruntime")
    assert not (folder / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(trained, strains, tmp_path):
    np.save(tmp_path / "x.npy", strains)
    with pytest.raises(SystemExit, match="sees none here; choose the device cpu"):
        ask(trained[0], tmp_path / "x.npy", "--device", "cuda")
