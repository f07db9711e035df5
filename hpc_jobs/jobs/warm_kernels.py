"""Build or compile the solver once per code version, so that no array element has to."""

import logging
import time

from hpc_jobs.contract.facts import KernelFacts
from hpc_jobs.runtime import element

log = logging.getLogger(__name__)


def work(task: element.Element) -> KernelFacts:
    """Prepare the campaign's solver on this type of machine; facts say which, and how long."""
    from hpc_jobs.fem.backends import prepare

    start = time.monotonic()
    solver, done = prepare(task.campaign)
    seconds = round(time.monotonic() - start, 2)
    log.info("solver %s ready after %.1f s: %s", solver, seconds, done)
    return KernelFacts(solver=solver, seconds=seconds, done=done)


if __name__ == "__main__":
    element.main(work)
