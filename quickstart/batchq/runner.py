"""Runs one element, in a session of its own; the daemon may die and come back meanwhile.

The runner claims the element, starts the script, watches its limits, and writes how it ended.
It needs no daemon for any of that.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from quickstart.batchq.store import Job, Request, State, Store
from quickstart.processes import Process, identify, session_resident_bytes, stop_session

WATCH_S = 0.5
KILL_WAIT_S = 5.0
NICENESS = 10  # what the elements compute must not starve the control plane beside them
_AWAITED = {signal.SIGCHLD, signal.SIGTERM}


def main() -> None:
    """Run `python -m quickstart.batchq.runner STATE JOB_ID INDEX`."""
    store, number, index = Store(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    me = identify(os.getpid())
    job = store.job(number)
    if job is None or me is None:
        sys.exit(f"batchq: no job {number} in {store.root}")
    os.nice(NICENESS)
    element = job.element(index)
    if not element.start(me) or element.ended_file.exists():
        return  # an earlier daemon's runner has it, or it was cancelled while pending
    try:
        state, exit_code = _run(job, index, me)
    except OSError as error:
        print(f"batchq: element {number}_{index} could not run: {error}", file=sys.stderr)
        state, exit_code = State.FAILED, 127
    stop_session(me, KILL_WAIT_S)  # what the script left behind
    element.end(state, exit_code)


def _run(job: Job, index: int, me: Process) -> tuple[State, int]:
    output = Path(job.request.log_dir) / f"{job.id}_{index}.out"
    output.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | _variables(job, index)
    with output.open("ab") as log:
        child = subprocess.Popen(
            [str(job.script)],
            cwd=job.request.work_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        broken = _watch(child, job, me)
        if broken:
            log.write(f"batchq: {broken}; ending the element\n".encode())
            log.flush()
            stop_session(me, KILL_WAIT_S)
    code = child.wait()
    exit_code = code if code >= 0 else 128 - code
    if broken:
        return broken, exit_code
    return (State.COMPLETED if code == 0 else State.FAILED), exit_code


def _watch(child: subprocess.Popen[bytes], job: Job, me: Process) -> State | None:
    """Wait for the script's end (None) or for a reason to end it."""
    # Blocked only now: the script must not inherit the mask. A child that ended before is seen
    # by poll(), one that ends later by its signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    deadline = time.monotonic() + job.request.walltime_s
    while child.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return State.TIMEOUT
        if session_resident_bytes(me) > job.request.memory_mib * 2**20:
            return State.OUT_OF_MEMORY
        if job.cancelled:
            return State.CANCELLED
        received = signal.sigtimedwait(_AWAITED, min(left, WATCH_S))
        if received and received.si_signo == signal.SIGTERM:
            return State.NODE_FAIL  # the machine, or the stack, goes down
    return None


def _variables(job: Job, index: int) -> dict[str, str]:
    request: Request = job.request
    threads = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    return {
        "BATCHQ_JOB_ID": job.id,
        "BATCHQ_JOB_NAME": request.name,
        "BATCHQ_ARRAY_INDEX": str(index),
        "BATCHQ_CPUS": str(request.cpus),
        **{f"{library}_NUM_THREADS": str(request.cpus) for library in threads},
    }


if __name__ == "__main__":
    main()
