"""What is published is whole; what is read is verified."""

import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import (
    ElementResult,
    publish,
    publish_manifest,
    read_manifest,
    read_model,
)
from hpc_jobs.job_folder.writer import drafts


@pytest.fixture
def published(tmp_path):
    data = tmp_path / "shard.h5"
    data.write_bytes(b"ten bytes!")
    manifest = tmp_path / "shard.json"
    publish_manifest(manifest, "shard", [data], records=3)
    return data, manifest


def test_a_whole_file_is_read(published):
    _, path = published
    manifest = read_manifest(path, "shard")
    assert manifest.files[0].bytes == 10
    assert manifest.facts == {"records": 3}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.write_bytes(b"ten"), "3 bytes, its manifest says 10"),
        (lambda data: data.write_bytes(b"TEN bytes!"), "sha256"),
        (lambda data: data.unlink(), "missing"),
    ],
)
def test_a_damaged_file_is_recognised(published, damage, message):
    data, path = published
    damage(data)
    with pytest.raises(CorruptFile, match=message):
        read_manifest(path, "shard")


def test_a_foreign_manifest_is_recognised(published):
    with pytest.raises(CorruptFile, match="kind 'shard', expected 'dataset'"):
        read_manifest(published[1], "dataset")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": 3}', "\x00"])
def test_a_half_written_manifest_is_recognised(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(CorruptFile, match="not a Manifest"):
        read_manifest(path, "shard")


def test_a_failed_writer_leaves_nothing_and_keeps_the_old(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), publish(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["model.json"]


def test_a_missing_model_says_who_should_have_written_it(tmp_path):
    with pytest.raises(CorruptFile, match="has not finished"):
        read_model(ElementResult, tmp_path / "none.json")


def test_what_killed_writers_left_is_told_from_other_hidden_files(tmp_path):
    with pytest.raises(KeyboardInterrupt), publish(tmp_path / "packed.h5") as temporary:
        left = temporary.with_name(temporary.name)
        raise KeyboardInterrupt
    assert drafts(tmp_path) == []
    left.touch()
    for other in (".nfs000000000a2b", ".hidden.txt", "packed.h5"):
        (tmp_path / other).touch()
    (tmp_path / ".folder").mkdir()
    assert drafts(tmp_path) == [left]
