"""An array job as the clusters run it, whose elements fail when they are told to."""

import argparse
import os
import time
from pathlib import Path
from typing import Any

from hpc_jobs.jobs import element


def work(this: element.Element) -> dict[str, Any]:
    """Write down in one file what was solved: a line too many is an element solved twice."""
    eaten = b"1" * (this.arguments.eat_mib << 20)
    time.sleep(this.arguments.sleep_s + bool(eaten))
    mark = this.run.root / f"failed-{this.index}"
    if this.index in this.arguments.fail and not mark.exists():
        mark.touch()
        raise RuntimeError("told to fail once")
    note(this.run.root / "solved", this.index)
    return {"records": 1}


def note(path: Path, index: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{index}\n".encode())
    os.close(handle)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sleep-s", type=float, default=0)
    parser.add_argument("--eat-mib", type=int, default=0)
    parser.add_argument("--fail", type=int, nargs="*", default=())


if __name__ == "__main__":
    element.main(work, arguments)
