"""A person's word before a challenger becomes champion; silence never promotes.

The task waits in Airflow's state `awaiting_input`, which holds no worker: the evidence stands on
its page under "Required actions", with a field for the reason. It ends green however it was
answered: the answer is what it returns, and the gate weighs it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from hpc_jobs.contract.gate import PersonsWord
from hpc_jobs.contract.report import Proposal

PROMOTE, REJECT = "Promote", "Reject"
REASON = Param(
    "",
    source="task",
    type="string",
    maxLength=1000,
    title="Reason",
    description_md="Kept with the decision; a rejection should say why.",
)


class AskPerson(HITLOperator):
    """Ask whether a challenger may take over, where its campaign wants to be asked.

    proposal: a Proposal's JSON, as an XCom argument. Returns PersonsWord's JSON, or None where the
    rules refused already or nobody is to be asked.
    """

    template_fields = (*HITLOperator.template_fields, "proposal")

    def __init__(self, *, proposal: Any, **kwargs: Any) -> None:
        # The form shows the task's own fields alone; the DAG's come along in `params`
        params = ParamsDict(kwargs.pop("params", None) or {})
        params.update({"reason": REASON})
        super().__init__(
            subject="Promote the challenger?",
            body="",
            options=[PROMOTE, REJECT],
            params=params,
            **kwargs,
        )
        self.proposal = proposal

    def execute(self, context: Any) -> Any:
        """Show the evidence and wait, or return at once where nobody is to be asked."""
        asked = Proposal.model_validate(self.proposal)
        if not asked.ask:
            return None
        self.subject, self.body = asked.subject, asked.body
        self.response_timeout = timedelta(days=asked.approval_days)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Return what was answered, by whom and why; a time-out is no approval."""
        try:
            said = super().execute_complete(context, event)
        except HITLTimeoutError:
            return PersonsWord(answer="no answer").model_dump(mode="json")
        return word_of(said).model_dump(mode="json")


def word_of(said: Mapping[str, Any]) -> PersonsWord:
    """Read Airflow's account of an answer; anything but the option Promote is a rejection."""
    user = said.get("responded_by_user") or {}
    at = said.get("responded_at")
    return PersonsWord(
        answer="promote" if list(said["chosen_options"]) == [PROMOTE] else "reject",
        by=str(user.get("name") or user.get("id") or "a person unknown"),
        reason=str((said.get("params_input") or {}).get("reason") or "").strip(),
        at=at.isoformat() if isinstance(at, datetime) else str(at or ""),
    )
