"""qsub, qstat, qselect and qdel: `python -m tests.standins.pbs.commands NAME ARGUMENTS`."""

import getopt
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.standins.pbs.books import (
    SERVER,
    Books,
    descriptions,
    is_over,
    job_id,
    live_elements,
    open_books,
)
from tests.standins.pbs.text import as_text

NO_HISTORY = "PBS is not configured to maintain job history"
UNKNOWN, FINISHED = 153, 35


def refuse(name: str, words: str, code: int) -> None:
    print(f"{name}: {words}", file=sys.stderr)
    sys.exit(code)


def qsub(books: Books, arguments: list[str]) -> int:
    options, words = getopt.getopt(arguments, "N:j:o:l:J:W:q:A:m:M:S:v:h")
    given = dict(options)
    if given.get("-q") == "nosuch":
        refuse("qsub", "Unknown queue", 170)
    resources = " ".join(value for key, value in options if key == "-l")
    wishes = dict(value.split("=", 1) for key, value in options if key == "-W")
    low, high = map(int, given.get("-J", "0-0").split("-"))
    count = high - low + 1
    limit = books.settings["limit"]
    if limit and live_elements(books) + count > limit:
        refuse("qsub", "would exceed queue workq's per-user limit of jobs in 'Q' state", 189)
    ncpus = re.search(r"ncpus=(\d+)", resources)
    walltime = re.search(r"walltime=([\d:]+)", resources)
    never = bool(ncpus) and int(ncpus[1]) > books.settings["cores"]  # type: ignore[index]
    unmet = "99999" in wishes.get("depend", "")
    job = books.add(
        {
            "name": given.get("-N", "STDIN"),
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "array": "-J" in given,
            "script": words[0],
            "output": given.get("-o", "."),
            "umask": int(wishes.get("umask", "077"), 8),
            "walltime": walltime[1] if walltime else "01:00:00",
            "account": books.settings["odd_value"] or given.get("-A", "_pbs_project_default"),
            "depend": wishes.get("depend", ""),
            "held": "-h" in given,
            "comment": "Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 12 T: 12)"
            if never
            else "",
            "elements": [
                {"state": "Q", "stime": 0, "etime": 0, "exit": None, "substate": 10, "pid": 0}
                for _ in range(count)
            ],
        }
    )
    if unmet:  # what it depends on failed: it ends without ever having started
        for element in job["elements"]:
            element |= {"state": "F", "substate": 92}
        books.save(job)
    elif not (never or job["held"]):
        subprocess.Popen(
            [sys.executable, "-S", "-m", "tests.standins.pbs.mom", str(job["number"])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(books.folder / "mom.log").open("a"),
            start_new_session=True,
        )
    if books.settings["lost_replies"]:
        text = json.dumps(books.settings | {"lost_replies": books.settings["lost_replies"] - 1})
        (books.folder / "settings.json").write_text(text)
        refuse("qsub", "End of File", 1)
    print(job_id(job))
    return 0


def qstat(books: Books, arguments: list[str]) -> int:
    options, ids = getopt.getopt(arguments, "xtfF:")
    given = dict(options)
    settings = books.settings
    if "-x" in given and not settings["history"]:
        for each in ids or [""]:
            print(f"qstat: {NO_HISTORY} {each}".rstrip(), file=sys.stderr)
        _show({}, given, settings)
        return 0
    code, told = 0, dict[str, dict[str, Any]]()
    known = {job_id(job): job for job in books.jobs()}
    for each in ids or [name for name, job in known.items() if "-x" in given or not is_over(job)]:
        job = known.get(each)
        if job is None or each in settings["hides"] or (is_over(job) and not settings["history"]):
            print(f"qstat: Unknown Job Id {each}", file=sys.stderr)
            code = UNKNOWN
        elif is_over(job) and "-x" not in given:
            words = "Job has finished, use -x or -H to obtain historical job information"
            print(f"qstat: {each} {words}", file=sys.stderr)
            code = FINISHED
        else:
            told |= descriptions(job, elements="-t" in given)
        if ("json" if "-F" in given else "text") in settings["first_only"] and told:
            break
    _show(told, given, settings)
    return code


def _show(told: dict[str, Any], given: dict[str, str], settings: dict[str, Any]) -> None:
    if "-F" not in given:
        print(as_text(told), end="")
        return
    text = json.dumps({"pbs_server": SERVER, "Jobs": told} if told else {"pbs_server": SERVER})
    print(text.replace(json.dumps(settings["odd_value"]), settings["odd_value"] or '""'))


def qselect(books: Books, arguments: list[str]) -> int:
    given = dict(getopt.getopt(arguments, "xN:u:")[0])
    settings = books.settings
    if "-x" in given and not settings["history"]:
        print(f"qselect: {NO_HISTORY}", file=sys.stderr)
        return 0
    for job in books.jobs():
        if job_id(job) in settings["hides"] or (is_over(job) and "-x" not in given):
            continue
        if job["name"] == given.get("-N", job["name"]) and job["user"] == given.get(
            "-u", job["user"]
        ):
            print(job_id(job))
    for job in books.jobs():
        if job_id(job) in settings["ends_after_qselect"]:
            _delete(books, job, range(len(job["elements"])))
    return 0


def qdel(books: Books, ids: list[str]) -> int:
    code = 0
    for each in ids:
        match = re.fullmatch(r"(\d+)(?:\[(\d*)\])?\.\S+", each)
        jobs = [job for job in books.jobs() if match and job["number"] == int(match[1])]
        if not match or not jobs:
            print(f"qdel: Unknown Job Id {each}", file=sys.stderr)
            code = UNKNOWN
        elif is_over(jobs[0]):
            print(f"qdel: Job has finished {each}", file=sys.stderr)
            code = FINISHED
        else:
            count = len(jobs[0]["elements"])
            _delete(books, jobs[0], [int(match[2])] if match[2] else range(count))
    return code


def _delete(books: Books, job: dict[str, Any], indices: Any) -> None:
    for index in indices:
        element = job["elements"][index]
        if element["state"] == "R":
            element |= {"state": "F", "etime": time.time(), "exit": 271, "substate": 91}
            with suppress(ProcessLookupError):
                os.killpg(element["pid"], signal.SIGKILL)
        elif element["state"] == "Q":
            element |= {"state": "F", "substate": 91}
    books.save(job)


COMMANDS = {"qsub": qsub, "qstat": qstat, "qselect": qselect, "qdel": qdel}


def install(folder: Path, python_path: Path) -> None:
    """Put the commands into a folder for PATH."""
    folder.mkdir(parents=True)
    for name in COMMANDS:
        path = folder / name
        path.write_text(
            f"#!/bin/sh\nPYTHONPATH='{python_path}' "
            f"exec '{sys.executable}' -S -m tests.standins.pbs.commands {name} \"$@\"\n"
        )
        path.chmod(0o755)


def main() -> int:
    name, *arguments = sys.argv[1:]
    books = open_books()
    if books.settings["down"]:
        print("Connection refused", file=sys.stderr)
        refuse(name, f"cannot connect to server {SERVER} (errno=15010)", 162)
    with books.open():
        return COMMANDS[name](books, arguments)


if __name__ == "__main__":
    sys.exit(main())
