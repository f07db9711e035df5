"""Try a newly described cluster end to end, and say in plain words what is wrong.

    python -m operators.cluster_check NAME [--partner OTHER] [--role cpu|gpu|both] [--wait S]

in the checkout. Each step is a line: what was tried, what came back, what to do. Exit code 0 if all
is well. The Connection is that of the running stack or, where AIRFLOW_HOME is set, of that Airflow;
or the environment variable AIRFLOW_CONN_<NAME>.
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.hooks.steps import Step


def main() -> None:
    """Check one cluster from the command line."""
    parser = argparse.ArgumentParser(description="Try a cluster end to end.")
    parser.add_argument("name", help="of a file in dags/clusters, and of its Connection")
    parser.add_argument("--partner", help="the cluster that must see the same workspace")
    parser.add_argument("--role", choices=("cpu", "gpu", "both"), default="cpu")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds to wait in the queue")
    parsed = parser.parse_args()
    find_airflow(Path.cwd())
    # Airflow settles on its home when it is first imported.
    from operators.checks.cluster import check_cluster
    from operators.hooks.steps import Steps

    logging.disable(logging.INFO)
    steps = Steps(tell=_tell)
    check_cluster(parsed.name, parsed.partner, parsed.role, parsed.wait, steps)
    print("ready for campaigns" if steps.good else "NOT ready: see FAILED above")
    sys.exit(0 if steps.good else 1)


def find_airflow(checkout: Path) -> None:
    """Use the stack of this checkout, and its DAGs, unless the environment names others."""
    home = checkout / ".stack" / "airflow"
    if (home / "airflow.cfg").is_file():
        os.environ.setdefault("AIRFLOW_HOME", str(home))
    elif (checkout / "dags" / "clusters").is_dir():
        os.environ.setdefault("AIRFLOW__CORE__DAGS_FOLDER", str(checkout / "dags"))
    # Only so does Airflow look Connections up in its own database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def _tell(step: "Step") -> None:
    print(step, flush=True)


if __name__ == "__main__":
    main()
