"""`python -m quickstart campaign NAME`: from nothing to a printed result."""

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from quickstart.campaign.follow import follow
from quickstart.campaign.request import WrongSetting, conf
from quickstart.campaign.result import print_result
from quickstart.campaign.run import DAG, CampaignFailed, CampaignRun, form_fields
from quickstart.stack import airflow_settings
from quickstart.stack.supervisor import Stack

WIDTH_WITHOUT_TERMINAL = 110


def run_campaign(stack: Stack, name: str, settings: Sequence[str]) -> None:
    """Start the stack, run the campaign, show it, print its result; exits if it fails."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
    stack.up()
    try:
        with stack.api() as api:
            run = CampaignRun.trigger(api, conf(name, settings, form_fields(api)))
            report = _follow(stack, run, console)
    except WrongSetting as error:
        sys.exit(f"error: {error}")
    except CampaignFailed as error:
        sys.exit(f"campaign failed: {error}")
    print_result(report, console)


def _follow(stack: Stack, run: CampaignRun, console: Console) -> dict[str, Any]:
    page = f"{airflow_settings.url(stack.ports)}/dags/{DAG}/runs/{run.run_id}"
    console.print(f"campaign runs: {page}", soft_wrap=True, highlight=False)
    snapshot = follow(run, console)
    if snapshot.state != "success":
        raise CampaignFailed(run.failures(snapshot))
    return run.result()
