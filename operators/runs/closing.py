"""How a DAG run ended, for the task that closes a campaign's run."""

from typing import Any

BAD = frozenset({"failed", "upstream_failed"})


def failed_tasks(ti: Any) -> list[str]:
    """Name the tasks of this DAG run whose work failed, those first whose own fault it was.

    ti: the running task's instance. What merely came after a failure is named only where nothing
    else is.
    """
    found = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    states = {task: str(state) for task, state in found.items()}
    own = sorted(task for task, state in states.items() if state == "failed")
    return own or sorted(task for task, state in states.items() if state in BAD)
