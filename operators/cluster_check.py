"""Try a newly described cluster end to end, and say in plain words what is wrong.

    python -m operators.cluster_check NAME [--partner OTHER] [--role cpu|gpu|both] [--wait S]

Each step is a line: what was tried, what came back, what to do. Exit code 0 if all is well. The
Connection is Airflow's, or the environment variable AIRFLOW_CONN_<NAME>.
"""

import argparse
import logging
import sys

from operators.checks.jobs import WORKSPACE, Role, Trial
from operators.checks.login import check_login
from operators.checks.step import Step, Steps
from operators.hooks.hpc import HpcHook


def check_cluster(
    name: str,
    partner: str | None = None,
    role: Role = "cpu",
    wait_s: float = 600.0,
    steps: Steps | None = None,
) -> Steps:
    """Run all steps; what the check made is removed again, whatever happened."""
    steps = steps or Steps()
    with HpcHook(name) as hook:
        if check_login(hook, steps):
            trial = Trial(hook, role, wait_s)
            try:
                _try(trial, steps, partner)
            finally:
                steps.always("clean-up", "cancel jobs, remove files", trial.tidy)
    return steps


def _try(trial: Trial, steps: Steps, partner: str | None) -> None:
    steps.attempt("workspace", f"allocate '{WORKSPACE}' for a day", trial.allocate)
    steps.attempt("files", "write and read a file", trial.files)
    steps.attempt("code", "ship and unpack hpc_jobs", trial.ship)
    steps.attempt("doctor", "examine the login node", trial.doctor)
    steps.attempt("submit", "submit a small array", trial.submit)
    steps.attempt("poll", "wait for its elements", trial.poll)
    steps.attempt("results", "read what compute nodes say", trial.results)
    steps.attempt("cancel", "submit a job and cancel it", trial.cancel)
    if partner:
        with HpcHook(partner) as other:
            steps.attempt(
                "shared view", f"read a result on {partner}", lambda: trial.seen_by(other)
            )


def main() -> None:
    """Check one cluster from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", help="of a file in dags/clusters, and of its Connection")
    parser.add_argument("--partner", help="the cluster that must see the same workspace")
    parser.add_argument("--role", choices=("cpu", "gpu", "both"), default="cpu")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds to wait in the queue")
    parsed = parser.parse_args()
    logging.disable(logging.INFO)

    def tell(step: Step) -> None:
        print(step, flush=True)

    steps = Steps(tell=tell)
    check_cluster(parsed.name, parsed.partner, parsed.role, parsed.wait, steps)
    print("ready for campaigns" if steps.good else "NOT ready: see FAILED above")
    sys.exit(0 if steps.good else 1)


if __name__ == "__main__":
    main()
