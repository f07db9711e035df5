"""Solve one shard of a round: TASK_INDEX is its number."""

import argparse

from hpc_jobs.contract.facts import ShardFacts
from hpc_jobs.runtime import element


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--round", type=int, default=0, help="number of the round")


def work(task: element.Element) -> ShardFacts:
    """Publish rounds/NNN/shards/shard-IIIII.h5; facts are its manifest's."""
    from hpc_jobs.design.rounds import read_round
    from hpc_jobs.fem.records.shards import Assignment, solve_shard

    number, points = task.arguments.round, read_round(task.run, task.arguments.round)
    size, total = task.campaign.design.records_per_shard, len(points.point)
    rows = slice(task.index * size, min((task.index + 1) * size, total))
    if task.index < 0 or rows.start >= total:
        shards = task.campaign.design.shards(total)
        raise IndexError(
            f"TASK_INDEX is {task.index}, but round {number} has shards 0 to {shards - 1}"
        )
    assignment = Assignment(
        round=number,
        index=task.index,
        parameters=points.parameters[rows],
        sheet=points.sheet[rows],
        is_test=points.is_test[rows],
        point=points.point[rows],
        level=points.level[rows],
        weight=points.weight[rows],
    )

    def progress(done: int, total: int) -> None:
        task.progress(done, total, "records")

    return ShardFacts.of(solve_shard(task.run, task.frozen, assignment, progress))


if __name__ == "__main__":
    element.main(work, arguments)
