"""`python -m quickstart campaign NAME`: from nothing to a printed result."""

import sys
from collections.abc import Sequence

from rich.console import Console

from quickstart.campaign.follow import follow
from quickstart.campaign.request import WrongSetting, conf
from quickstart.campaign.result import print_result
from quickstart.campaign.run import DAG, CampaignFailed, CampaignRun, form_fields
from quickstart.stack import airflow_settings
from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.supervisor import Stack

WIDTH_WITHOUT_TERMINAL = 110


def run_campaign(stack: Stack, name: str, settings: Sequence[str]) -> None:
    """Start the stack, run the campaign, show it, print its result; exits if it fails."""
    stack.up()
    with stack.api() as api:
        run_on(api, airflow_settings.url(stack.ports), name, settings)


def run_on(api: AirflowApi, url: str, name: str, settings: Sequence[str]) -> None:
    """Run a campaign on an Airflow that runs, whose pages a person finds at `url`."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
    try:
        run = CampaignRun.trigger(api, conf(name, settings, form_fields(api)))
        page = f"{url}/dags/{DAG}/runs/{run.run_id}"
        console.print(f"campaign runs: {page}", soft_wrap=True, highlight=False)
        snapshot = follow(run, console)
        if snapshot.state != "success":
            raise CampaignFailed(run.failures(snapshot))
        print_result(run.result(), console)
    except WrongSetting as error:
        sys.exit(f"error: {error}")
    except CampaignFailed as error:
        sys.exit(f"campaign failed: {error}")
