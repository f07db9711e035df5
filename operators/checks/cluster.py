"""The whole check of one cluster: which steps, in which order."""

import hashlib
import secrets

from operators.checks.trial import WORKSPACE, Role, Trial
from operators.hooks.hpc import Connect, open_session
from operators.hooks.login_check import check_login
from operators.hooks.steps import Steps


def check_cluster(
    name: str,
    partner: str | None = None,
    role: Role = "cpu",
    wait_s: float = 600.0,
    steps: Steps | None = None,
    mark: str | None = None,
    connect: Connect = open_session,
) -> Steps:
    """Run all steps; what the check made is removed again, whatever happened.

    partner: the cluster that must see the same workspace. wait_s: patience with the queue.
    mark: names what the check makes, for a `clean_up` after a check that was killed.
    """
    steps = steps or Steps()
    with connect(name) as session:
        if check_login(session, steps):
            trial = Trial(session, role, wait_s, mark or secrets.token_hex(4))
            try:
                _try(trial, steps, partner, connect)
            finally:
                steps.always("clean-up", "cancel jobs, remove files", trial.tidy)
    return steps


def clean_up(name: str, mark: str, connect: Connect = open_session) -> str:
    """Remove what a check of that mark has left; says what there was."""
    with connect(name) as session:
        return Trial(session, mark=mark).tidy_up_after()


def mark_of(run_id: str) -> str:
    """Mark of the check that a DAG run makes."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:8]


def _try(trial: Trial, steps: Steps, partner: str | None, connect: Connect) -> None:
    steps.attempt("workspace", f"allocate '{WORKSPACE}' for a day", trial.allocate)
    steps.attempt("files", "write and read a file", trial.files)
    steps.attempt("code", "ship and unpack hpc_jobs", trial.ship)
    steps.attempt("doctor", "examine the login node", trial.doctor)
    steps.attempt("submit", "submit a small array", trial.submit)
    steps.attempt("poll", "wait for its elements", trial.poll)
    steps.attempt("results", "read what compute nodes say", trial.results)
    steps.attempt("cancel", "submit a job and cancel it", trial.cancel)
    if partner:
        with connect(partner) as other:
            steps.attempt(
                "shared view", f"read a result on {partner}", lambda: trial.seen_by(other)
            )
