"""A person's word: what is asked, what an answer means, and that silence is no approval."""

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput

from hpc_jobs.contract.gate import PersonsWord
from hpc_jobs.contract.report import Proposal
from operators.promotion.approval import PROMOTE, REJECT, AskPerson, word_of

ASKED = Proposal(
    promoted=True,
    ask=True,
    subject="Promote mlp to champion of demo?",
    body="**promoted: 20 % better**",
    approval_days=3.0,
)


def operator(proposal: Proposal) -> AskPerson:
    return AskPerson(task_id="ask_person", proposal=proposal.model_dump(mode="json"))


def answer(option: str, reason: str) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason},
        "responded_at": datetime(2026, 11, 26, 9, tzinfo=UTC),
        "responded_by_user": {"id": "7", "name": "ada"},
    }


@pytest.mark.parametrize(
    "proposal",
    [
        ASKED.model_copy(update={"ask": False}),
        ASKED.model_copy(update={"ask": False, "promoted": False}),
    ],
)
def test_nobody_is_asked_where_nobody_need_be(proposal):
    assert operator(proposal).execute({}) is None


def test_who_is_asked_sees_the_evidence_and_has_some_days(monkeypatch):
    shown: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **values: shown.update(values),
    )
    asking = operator(ASKED)

    class Instance:
        id = "0"

    with pytest.raises(TaskAwaitingInput) as waits:
        asking.execute({"task_instance": Instance()})
    assert shown["subject"] == ASKED.subject and shown["body"] == ASKED.body
    assert shown["options"] == [PROMOTE, REJECT] and shown["defaults"] is None
    assert set(shown["params"]) == {"reason"}
    assert waits.value.timeout is not None and waits.value.timeout.days == 3


def test_an_answer_is_kept_with_who_gave_it_and_why():
    said = operator(ASKED).execute_complete({}, answer(REJECT, " tr1180 is due "))
    word = PersonsWord.model_validate(said)
    assert (word.answer, word.by, word.reason) == ("reject", "ada", "tr1180 is due")
    assert word.at.startswith("2026-11-26T09:00")
    agreed = operator(ASKED).execute_complete({}, answer(PROMOTE, ""))
    assert PersonsWord.model_validate(agreed).answer == "promote"


def test_silence_is_no_approval():
    event = {"error": "no answer", "error_type": "timeout"}
    word = PersonsWord.model_validate(operator(ASKED).execute_complete({}, event))
    assert word.answer == "no answer" and word.by == ""


def test_what_is_not_the_option_promote_is_a_rejection():
    assert word_of({"chosen_options": []}).answer == "reject"
    assert word_of({"chosen_options": [PROMOTE, REJECT]}).answer == "reject"
