"""Write the TASK_INDEX-th part of a generation's packed files, a bucket in memory at a time."""

import argparse

from hpc_jobs.contract.facts import WrittenFacts
from hpc_jobs.dataset.pack import pack_records
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--elements", type=int, default=1, help="among whom files are dealt out")


def work(task: Element) -> WrittenFacts:
    """Write dataset/packed/train-gNNNN-NNNNN.h5 for each of this element's buckets."""

    def progress(done: int, total: int) -> None:
        task.progress(done, total, "files")

    files, records = pack_records(
        task.run,
        task.campaign,
        derived_of(task.campaign),
        task.index,
        task.arguments.elements,
        progress=progress,
    )
    return WrittenFacts(files=files, records=records)


if __name__ == "__main__":
    element.main(work, arguments)
