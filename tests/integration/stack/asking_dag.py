"""A DAG that asks a person as the gate does, and says what became of a challenger that may pass."""

from typing import Any

from airflow.sdk import Param, dag, task

from operators.promotion.approval import AskPerson


@task
def proposed(**context: Any) -> dict[str, Any]:
    """Return what the gate's rules would say of a challenger that is better."""
    from hpc_jobs.contract.report import Proposal

    return Proposal(
        promoted=True,
        ask=True,
        subject="Promote mlp to champion of demo?",
        body="**promoted: 20 % better**",
        approval_days=context["params"]["approval_days"],
    ).model_dump(mode="json")


@task
def decided(word: dict[str, Any] | None) -> dict[str, Any]:
    """Let the word count, by the gate's own rule."""
    from hpc_jobs.contract.gate import Decision, PersonsWord
    from operators.promotion.gate import with_word

    said = PersonsWord.model_validate(word) if word else None
    passed = Decision(promoted=True, reason="promoted: 20 % better")
    return with_word(passed, said).model_dump(mode="json")


@dag(schedule=None, params={"approval_days": Param(3.0, type="number")}, catchup=False)
def asking():
    """Ask, and decide."""
    decided(AskPerson(task_id="ask_person", proposal=proposed()).output)


asking()
