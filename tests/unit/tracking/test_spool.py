"""The spool: whole lines, continued after a kill, nothing said twice that counts once."""

import json

import pytest

from hpc_jobs.tracking.spool import Spool


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_writes_the_lines_of_the_contract(tmp_path):
    path = tmp_path / "jobs" / "it's a \n token" / "spool" / "net.jsonl"
    with Spool(path, name="net", tags={"network": "mlp"}) as spool:
        spool.params({"epochs": 3})
        spool.metrics({"train/loss": 1.0, "val/loss": 2.5}, step=3)
        spool.artifact("models/net/figures/parity.png", "figures")
        spool.tags({"dataset": "abc"})
        spool.end("FINISHED")
    written = lines(path)
    times = {line.pop("time_ms") for line in written if line["kind"] == "metric"}
    assert len(times) == 1 and times.pop() > 1.7e12
    assert written == [
        {"kind": "run", "name": "net", "tags": {"network": "mlp"}},
        {"kind": "params", "values": {"epochs": 3}},
        {"kind": "metric", "key": "train/loss", "value": 1.0, "step": 3},
        {"kind": "metric", "key": "val/loss", "value": 2.5, "step": 3},
        {"kind": "artifact", "path": "models/net/figures/parity.png", "to": "figures"},
        {"kind": "tags", "values": {"dataset": "abc"}},
        {"kind": "end", "status": "FINISHED"},
    ]


def test_names_of_answers_are_keys_that_mlflow_takes(tmp_path):
    with Spool(tmp_path / "a.jsonl", name="a") as spool:
        spool.metrics({"test_mse/log_k@0.03": 1.0}, step=0)
        spool.tags({"found.k@0": "yes"})
    metric, tags = lines(spool.path)[1:]
    assert metric["key"] == "test_mse/log_k_0.03"
    assert tags["values"] == {"found.k_0": "yes"}


def test_lines_are_visible_at_once(tmp_path):
    spool = Spool(tmp_path / "a.jsonl", name="a")
    spool.metrics({"x": 1.0}, step=0)
    assert [line["kind"] for line in lines(spool.path)] == ["run", "metric"]
    spool.close()


@pytest.mark.parametrize("torn", ['{"kind":"met', "x" * 200_000], ids=["short", "long"])
def test_a_second_writer_continues_and_cuts_the_torn_tail(tmp_path, torn):
    path = tmp_path / "a.jsonl"
    with Spool(path, name="a") as spool:
        spool.metrics({"x": 1.0}, step=0)
    before = path.read_bytes()
    path.write_bytes(before + torn.encode())
    with Spool(path, name="a") as spool:
        spool.metrics({"x": 2.0}, step=1)
    assert path.read_bytes().startswith(before)
    assert [line["kind"] for line in lines(path)] == ["run", "metric", "metric"]


def test_a_file_that_is_only_a_torn_line_starts_over(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"kind":"ru')
    Spool(path, name="a").close()
    assert lines(path) == [{"kind": "run", "name": "a", "tags": {}}]


def test_a_value_that_json_does_not_know_is_refused(tmp_path):
    with Spool(tmp_path / "a.jsonl", name="a") as spool:
        with pytest.raises(ValueError, match="not JSON compliant"):
            spool.metrics({"ok": 1.0, "loss": float("nan")}, step=1)
        assert len(lines(spool.path)) == 1  # nothing of the batch was written
