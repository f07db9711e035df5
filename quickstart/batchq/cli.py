"""batchq: a small batch queue with arrays, for one machine.

The state folder is named by BATCHQ_STATE. `submit`, `status` and `cancel` work on files, with or
without a daemon; `serve` is the daemon that starts what is queued.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from quickstart.batchq.store import Job, Refused, Request, Store


def main() -> None:
    """Run one batchq command."""
    arguments = _parser().parse_args()
    state = os.environ.get("BATCHQ_STATE")
    if not state:
        sys.exit("batchq: BATCHQ_STATE is not set; name the queue's state folder in it")
    try:
        arguments.command(Store(Path(state).absolute()), arguments)
    except Refused as error:
        sys.exit(f"batchq: refused: {error}")


def _submit(store: Store, arguments: argparse.Namespace) -> None:
    try:
        script = arguments.script.read_bytes()
    except OSError as error:
        raise Refused(f"cannot read {arguments.script}: {error.strerror}") from None
    if not script.startswith(b"#!"):
        raise Refused(f"{arguments.script} has no interpreter line; begin it with #!/bin/sh")
    request = Request(
        name=arguments.name,
        indices=arguments.array,
        cpus=arguments.cpus,
        memory_mib=arguments.memory_mib,
        walltime_s=arguments.walltime_s,
        log_dir=str(arguments.log_dir.absolute()),
        work_dir=str(Path.cwd()),
    )
    print(store.submit(request, script))


def _status(store: Store, arguments: argparse.Namespace) -> None:
    jobs = store.find(ids=arguments.ids, names=arguments.name)
    if arguments.json:
        print(json.dumps({"jobs": [store.report(job) for job in jobs]}))
    else:
        _print_table(store, jobs)


def _print_table(store: Store, jobs: list[Job]) -> None:
    row = "{:>6}  {:<40}  {}"
    print(row.format("id", "name", "elements"))
    for job in jobs:
        counts = Counter(element["state"] for element in store.report(job)["elements"])
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(row.format(job.id, job.request.name[:40], states))


def _cancel(store: Store, arguments: argparse.Namespace) -> None:
    for number in arguments.ids:
        job = store.job(number)
        if job is None:
            sys.exit(f"batchq: no job {number}")
        job.cancel()


def _serve(store: Store, arguments: argparse.Namespace) -> None:
    import logging  # only here, and the daemon too: the other commands start sooner

    from quickstart.batchq.daemon import Daemon

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        Daemon(store, slots=arguments.slots).serve()
    except BlockingIOError:
        sys.exit(f"batchq: {store.root} has a daemon already")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="batchq", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    submit = commands.add_parser("submit", help="queue a script; prints the job's number")
    submit.set_defaults(command=_submit)
    submit.add_argument("script", type=Path)
    submit.add_argument("--name", required=True)
    submit.add_argument("--array", type=_indices, default=(0,), help="such as 0-9 or 0,3,7-9")
    submit.add_argument("--cpus", type=_positive, default=1)
    submit.add_argument("--memory-mib", type=_positive, default=1000)
    submit.add_argument("--walltime-s", type=_positive, default=600)
    submit.add_argument("--log-dir", type=Path, default=Path())
    status = commands.add_parser("status", help="live and recently ended jobs, or those asked for")
    status.set_defaults(command=_status)
    status.add_argument("--json", action="store_true")
    status.add_argument("--name", action="append", default=[])
    status.add_argument("ids", nargs="*", metavar="ID")
    cancel = commands.add_parser("cancel", help="end a job's elements and start no more of them")
    cancel.set_defaults(command=_cancel)
    cancel.add_argument("ids", nargs="+", metavar="ID")
    serve = commands.add_parser("serve", help="the daemon")
    serve.set_defaults(command=_serve)
    serve.add_argument("--slots", type=_positive, default=os.cpu_count())
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not positive")
    return number


def _indices(text: str) -> tuple[int, ...]:
    """Return the distinct indices of '0-9' or '0,3,7-9', in order."""
    indices: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise argparse.ArgumentTypeError(f"'{text}' is not like 0-9 or 0,3,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise argparse.ArgumentTypeError(f"'{part}' counts down; write {last}-{first}")
        indices.update(range(first, last + 1))
    return tuple(sorted(indices))


if __name__ == "__main__":
    main()
