"""Whether a challenger becomes champion: evidence, rules, a person's word."""

from typing import Any

from airflow.sdk import task

from hpc_jobs.contract.gate import PersonsWord
from hpc_jobs.contract.report import GateReport, Proposal, Rival
from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.promotion.approval import AskPerson
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models
from yieldloop_dags.stages.settings import VALIDATION


def gate(run: Any, challenger: Any, scored: Any) -> Any:
    """Ask challenger and champion the same sealed records, weigh, ask a person where one is wanted.

    Moves the alias `champion`, or says why not.
    """
    rival = find_rival(run)
    compared = HpcArrayJobOperator(
        task_id="compare",
        job="compare",
        site="gpu",
        run=run,
        arguments=[
            *("--model", unwired(challenger["model"]), "--validation", VALIDATION),
            *("--champion-run", rival["run_id"], "--champion", rival["model"]),
            *("--champion-sha256", rival["sha256"]),
        ],
    )
    proposal = weigh(run, unwired(challenger["model"]), VALIDATION)
    word = AskPerson(task_id="ask_person", proposal=proposal)
    scored >> rival >> compared >> proposal
    return pass_gate(run, unwired(challenger["model"]), VALIDATION, word.output)


@task(multiple_outputs=True)
@takes_models
def find_rival(run: RunHandle) -> Rival:
    """Look up the champion that the challenger stands against; bring it back if its run is gone."""
    from operators.promotion.rival import find_rival

    return find_rival(run)


@task
@takes_models
def weigh(run: RunHandle, model: str, validation: str) -> Proposal:
    """Say what the gate's rules decide, and whether a person is to be asked."""
    from operators.promotion.registry import propose

    return propose(run, model, validation)


@task(multiple_outputs=True, task_id="gate")
@takes_models
def pass_gate(run: RunHandle, model: str, validation: str, word: PersonsWord | None) -> GateReport:
    """Decide by the evidence and, where one was asked for, a person's word; write it all down."""
    from operators.promotion.registry import promote

    return promote(run, model, validation, word)
