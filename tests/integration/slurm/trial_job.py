"""An array job as the clusters run it, whose elements fail when they are told to."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from hpc_jobs.contract.facts import Facts
from hpc_jobs.runtime import element


class TrialFacts(Facts):
    records: int
    argv: list[str]
    shown: str | None


def work(this: element.Element) -> TrialFacts:
    """Write down in one file what was solved: a line too many is an element solved twice."""
    asked = this.arguments
    began = this.run.root / f"began-{this.index}"
    first = not began.exists()
    began.touch()
    while asked.gate and not Path(asked.gate).exists():
        time.sleep(0.1)
    if asked.huge_output:
        os.ftruncate(sys.stdout.fileno(), asked.huge_output)
        os.lseek(sys.stdout.fileno(), 0, os.SEEK_END)
        print("the last words", flush=True)
    if first:
        fail(this.index, asked)
    eaten = b"1" * (asked.eat_mib << 20)
    time.sleep(asked.sleep_s + bool(eaten))
    note(this.run.root / "solved", this.index)
    return TrialFacts(records=1, argv=sys.argv[2:], shown=os.environ.get(asked.show))


def fail(index: int, asked: argparse.Namespace) -> None:
    """End in the way that was asked for."""
    if index in asked.fail:
        raise RuntimeError("told to fail once")
    if index in asked.exit:
        os._exit(3)
    if index in asked.killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if index in asked.hang:
        time.sleep(600)
    if index in asked.greedy:
        time.sleep(len(b"1" * (300 << 20)))


def note(path: Path, index: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{index}\n".encode())
    os.close(handle)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sleep-s", type=float, default=0)
    parser.add_argument("--eat-mib", type=int, default=0)
    parser.add_argument("--gate", default="", help="a file to wait for")
    parser.add_argument("--huge-output", type=int, default=0, help="bytes, none of them written")
    parser.add_argument("--note", default="")
    parser.add_argument("--show", default="", help="a variable of the environment")
    for way in ("fail", "exit", "killed", "hang", "greedy"):
        parser.add_argument(f"--{way}", type=int, nargs="*", default=(), help="the first time")


if __name__ == "__main__":
    element.main(work, arguments)
