"""What the server remembers: jobs, one file each, and what it was told to do wrong."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVER = "pbs1"
DEFAULTS: dict[str, Any] = {
    "history": True,  # job_history_enable; OpenPBS's default is off
    "first_only": [],  # formats of which a qstat of several ids tells the first: "json", "text"
    "odd_value": "",  # of a job's account, bare in JSON
    "down": False,
    "limit": 0,  # elements that a user may have in the queue; 0: any number
    "slots": 4,  # elements that run at a time
    "cores": 4,  # of the only node
    "lost_replies": 0,  # qsubs that take the job and do not say so
    "ends_after_qselect": [],  # jobs that end between two commands
    "hides": [],  # live jobs that qstat and qselect call unknown; qdel knows them
    "output_delay_s": 0.0,  # from an element's end to its output in its folder
}


class Books:
    """Below one folder; every command locks it while it reads and writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "jobs").mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def settings(self) -> dict[str, Any]:
        path = self.folder / "settings.json"
        return DEFAULTS | (json.loads(path.read_text()) if path.exists() else {})

    def set(self, **changed: Any) -> None:
        with self.open():
            text = json.dumps(self.settings | changed)
            (self.folder / "settings.json").write_text(text)

    def jobs(self) -> list[dict[str, Any]]:
        paths = (self.folder / "jobs").glob("*.json")
        return sorted((json.loads(path.read_text()) for path in paths), key=lambda j: j["number"])

    def job(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path(number).read_text())
        return found

    def save(self, job: dict[str, Any]) -> None:
        draft = self._path(job["number"]).with_suffix(".draft")
        draft.write_text(json.dumps(job))
        draft.replace(self._path(job["number"]))

    def add(self, job: dict[str, Any]) -> dict[str, Any]:
        job |= {"number": len(self.jobs()), "qtime": time.time()}
        self.save(job)
        return job

    def _path(self, number: int) -> Path:
        return self.folder / "jobs" / f"{number}.json"


def open_books() -> Books:
    return Books(Path(os.environ["PBS_STANDIN"]))


def is_over(job: dict[str, Any]) -> bool:
    return all(element["state"] == "F" for element in job["elements"])


def live_elements(books: Books) -> int:
    return sum(e["state"] != "F" for job in books.jobs() for e in job["elements"])


def job_id(job: dict[str, Any]) -> str:
    return f"{job['number']}[].{SERVER}" if job["array"] else f"{job['number']}.{SERVER}"


def element_id(job: dict[str, Any], index: int) -> str:
    return f"{job['number']}[{index}].{SERVER}" if job["array"] else job_id(job)


def descriptions(job: dict[str, Any], *, elements: bool) -> dict[str, dict[str, Any]]:
    """As qstat has them: the job, and the elements of an array."""
    told = {job_id(job): _whole(job)}
    if job["array"] and elements:
        for index, element in enumerate(job["elements"]):
            told[element_id(job, index)] = _element(job, element)
    return told


def _whole(job: dict[str, Any]) -> dict[str, Any]:
    if not job["array"]:
        return _element(job, job["elements"][0])
    states = {element["state"] for element in job["elements"]}
    begun = any(element["stime"] for element in job["elements"])
    state = "F" if states == {"F"} else "B" if begun else "H" if job["held"] else "Q"
    told = _common(job) | {"job_state": state, "substate": 92 if state == "F" else 10}
    return told | ({"comment": job["comment"]} if job["comment"] else {})


def _element(job: dict[str, Any], element: dict[str, Any]) -> dict[str, Any]:
    over = element["state"] == "F"
    state = element["state"]
    if over and job["array"] and not is_over(job):
        state = "X"
    if state == "Q" and job["held"]:
        state = "H"
    told = _common(job) | {"job_state": state}
    if element["stime"]:
        told["stime"] = _clock(element["stime"])
        used = (element["etime"] or time.time()) - element["stime"]
        told["resources_used"] = {
            "cput": "00:00:00",
            "ncpus": 1,
            "walltime": f"00:00:{int(used):02d}",
        }
    if job["comment"]:
        told["comment"] = job["comment"]
    told["substate"] = element["substate"]
    # Of an element deleted while it waited, 0 once the array is over, and nothing before.
    if over and (element["stime"] or (job["array"] and state == "F")):
        told["Exit_status"] = element["exit"] or 0
    return told


def _common(job: dict[str, Any]) -> dict[str, Any]:
    depend = {"depend": job["depend"]} if job["depend"] else {}
    return {
        "Job_Name": job["name"],
        "Job_Owner": f"{job['user']}@{SERVER}",
        "Account_Name": job["account"],
        **depend,
        "qtime": _clock(job["qtime"]),
        "Resource_List": {"ncpus": 1, "walltime": job["walltime"]},
        "Variable_List": {"PBS_O_HOME": "/home/hpc", "PBS_O_PATH": "/opt/pbs/bin:/usr/bin:/bin"},
    }


def _clock(moment: float) -> str:
    return time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(moment))
