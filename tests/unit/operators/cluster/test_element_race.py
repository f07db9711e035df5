"""Duplicates of an element, as real processes: one works, the others leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).parents[4]

# A work function that leaves one line per run, and waits until it may end; the element does the
# rest.
WORK = """
import sys, time
from pathlib import Path
from hpc_jobs.contract.facts import Facts
from hpc_jobs.runtime import element
from tests.harness.waiting import wait_until

def work(one):
    with (one.run.root / "ran").open("a") as file:
        file.write(one.job_id + "\\n")
    while not (one.run.root / "may-end").exists():
        time.sleep(0.02)
    return Facts()

element.main(work)
"""


def start(run: Path, job_id: str) -> "subprocess.Popen[bytes]":
    environment = {"TASK_INDEX": "4", "HPC_TOKEN": "token", "HPC_JOB_ID": job_id}
    return subprocess.Popen(
        [sys.executable, "-c", WORK, str(run)],
        env=os.environ | environment | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
    )


def test_of_many_duplicates_one_works(tmp_path: Path) -> None:
    campaign = load(Campaign, CHECKOUT / "dags" / "campaigns" / "single_sheet.yaml")
    frozen = FrozenCampaign(run_id="demo-1", campaign=campaign, code_sha256="c" * 64)
    (tmp_path / "campaign.json").write_text(frozen.model_dump_json())
    processes = [start(tmp_path, f"{number}_0") for number in range(4)]
    at_work = lambda: [process for process in processes if process.poll() is None]  # noqa: E731
    wait_until(lambda: len(at_work()) <= 1, what="all but one leave")
    assert len(at_work()) == 1
    (tmp_path / "may-end").touch()
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    ran = (tmp_path / "ran").read_text().split()
    assert len(ran) == 1
    folder = RunFolder(tmp_path).job("token")
    assert json.loads(folder.result(4).read_text())["job_id"] == ran[0]
    assert os.listdir(folder.locks) == ["4"]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    late = start(tmp_path, "9_0")
    assert late.wait(60) == 0
    assert late.stdout is not None
    assert b"already done" in late.stdout.read()
    late.stdout.close()
    assert len((tmp_path / "ran").read_text().split()) == 1
