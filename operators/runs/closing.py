"""How a DAG run ended, for the task that closes a campaign's run and for those who read of it."""

from typing import Any

CAUSE = "cause"
"""Key of the XCom in which a task that failed for good says why."""
CAUSE_CHARACTERS = 1000

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


def tell_cause(context: Any) -> None:
    """Keep why a task failed, for the pages and the note of its DAG run: a failure callback.

    The task's log holds the whole of it; Airflow itself keeps no words of a failure.
    """
    error = context.get("exception")
    if error is not None:
        context["ti"].xcom_push(CAUSE, cause_of(error))


def cause_of(error: object) -> str:
    """Say an exception in few words: what it says, or its name where it says nothing."""
    return (str(error).strip() or type(error).__name__)[:CAUSE_CHARACTERS]
