"""Runs one job's elements: `python -m tests.standins.pbs.mom NUMBER`."""

import os
import subprocess
import sys
import time
from typing import Any

from tests.standins.pbs.books import Books, element_id, open_books


def main() -> None:
    books, number = open_books(), int(sys.argv[1])
    running: dict[int, subprocess.Popen[bytes]] = {}
    while True:
        with books.open():
            job = books.job(number)
            for index, process in list(running.items()):
                if process.poll() is not None:
                    _end(books, job, index, process.returncode)
                    del running[index]
            waiting = [i for i, e in enumerate(job["elements"]) if e["state"] == "Q"]
            if not waiting and not running:
                books.save(job)
                return
            for index in waiting[: books.settings["slots"] - len(running)]:
                running[index] = _start(books, job, index)
            books.save(job)
        time.sleep(0.05)


def _start(books: Books, job: dict[str, Any], index: int) -> subprocess.Popen[bytes]:
    identity = element_id(job, index)
    environment = os.environ | {"PBS_JOBID": identity}
    if job["array"]:
        environment["PBS_ARRAY_INDEX"] = str(index)
    os.umask(job["umask"])
    with (books.folder / f"{identity}.OU").open("wb") as output:
        process = subprocess.Popen(
            ["/bin/bash", job["script"]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    job["elements"][index] |= {
        "state": "R",
        "stime": time.time(),
        "substate": 42,
        "pid": process.pid,
    }
    return process


def _end(books: Books, job: dict[str, Any], index: int, code: int) -> None:
    element = job["elements"][index]
    if element["state"] == "R":
        told = code if code >= 0 else 256 - code
        element |= {"state": "F", "etime": time.time(), "exit": told, "substate": 92}
    identity = element_id(job, index)
    delay, output = str(books.settings["output_delay_s"]), str(books.folder / f"{identity}.OU")
    move = ["sh", "-c", 'sleep "$1"; mv "$2" "$3"', "move", delay, output, job["output"]]
    subprocess.Popen(move, start_new_session=True)


if __name__ == "__main__":
    main()
