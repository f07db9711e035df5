"""`python -m quickstart.campaign.elsewhere NAME`: a campaign on an Airflow that runs already.

The containers' one-shot service `campaign` is this; AIRFLOW_URL says where Airflow is, PUBLIC_URL
where people find it, and a file of Airflow's users and passwords who asks.
"""

import argparse
import json
import os
from pathlib import Path

from quickstart.campaign.command import run_on
from quickstart.stack.airflow_api import AirflowApi

PASSWORDS = Path("/run/secrets/airflow_passwords")


def main() -> None:
    """Trigger, follow, print the result; exits with a message if the campaign fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a file of dags/campaigns, without .yaml")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--passwords", type=Path, default=PASSWORDS, help="JSON, by user")
    arguments = parser.parse_args()
    url = os.environ["AIRFLOW_URL"].rstrip("/")
    user, password = next(iter(json.loads(arguments.passwords.read_text()).items()))
    with AirflowApi(url, user, password) as api:
        public = os.environ.get("PUBLIC_URL", url).rstrip("/")
        run_on(api, public, arguments.name, arguments.settings)


if __name__ == "__main__":
    main()
