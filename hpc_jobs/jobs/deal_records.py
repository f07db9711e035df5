"""Deal the TASK_INDEX-th part of a run's new records to buckets, by a random key of each."""

import argparse

from hpc_jobs.contract.facts import DealtFacts
from hpc_jobs.dataset.pack import deal_records
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--elements", type=int, default=1, help="among whom units are dealt out")


def work(task: Element) -> DealtFacts:
    """Write dataset/packing/gNNNN/dealt-NNNNN.rows for each of this element's units."""

    def progress(done: int, total: int) -> None:
        task.progress(done, total, "units")

    units, records = deal_records(
        task.run,
        task.campaign,
        derived_of(task.campaign),
        task.index,
        task.arguments.elements,
        progress=progress,
    )
    return DealtFacts(units=units, records=records)


if __name__ == "__main__":
    element.main(work, arguments)
