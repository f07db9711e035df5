"""`python -m quickstart campaign NAME [--set KEY=VALUE]`: from nothing to a printed result."""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import yaml
from rich.console import Console

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import merge, nested
from hpc_jobs.contract.strict_yaml import read_yaml
from quickstart.campaign.follow import follow
from quickstart.campaign.result import print_result, print_times
from quickstart.campaign.run import DAG, CampaignFailed, CampaignRun, form_fields
from quickstart.stack import airflow_settings
from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.supervisor import Stack

WIDTH_WITHOUT_TERMINAL = 80


class WrongSetting(Exception):
    """A --set that cannot be understood; the message says how to write it."""


def run_campaign(stack: Stack, name: str, settings: Sequence[str]) -> None:
    """Start the stack, run the campaign, show it, print its result; exits if it fails."""
    stack.up()
    with stack.api() as api:
        run_on(api, airflow_settings.url(stack.ports), name, settings)


def run_on(api: AirflowApi, url: str, name: str, settings: Sequence[str]) -> None:
    """Run a campaign on an Airflow that is up, whose pages a person finds at `url`."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
    try:
        run = CampaignRun.trigger(api, conf(name, settings, form_fields(api)))
        page = f"{url}/dags/{DAG}/runs/{run.run_id}"
        console.print(f"campaign runs: {page}", soft_wrap=True, highlight=False)
        snapshot = follow(run, console)
        if snapshot.state != "success":
            raise CampaignFailed(run.failures(snapshot))
        print_result(run.result(), console)
        print_times(run.folder(), console)
    except WrongSetting as error:
        sys.exit(f"error: {error}")
    except CampaignFailed as error:
        sys.exit(f"campaign failed: {error}")


def conf(campaign: str, settings: Iterable[str], form: Collection[str]) -> dict[str, Any]:
    """Return the conf of a DAG run: fields of its form as they are, a campaign's keys as overrides.

    Values are YAML: 200, true, [0, 45, 90], {law: swift}. Airflow checks them against the form,
    the first task against the campaign's contract. Raises WrongSetting.
    """
    chosen: dict[str, Any] = {"campaign": campaign}
    overrides: dict[str, Any] = {}
    given: dict[str, str] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise WrongSetting(f"--set {setting}: write key=value, such as train_records=200")
        try:
            value = read_yaml(text)
        except yaml.YAMLError:
            raise WrongSetting(f"--set {setting}: '{text}' is not a value in YAML") from None
        except ConfigurationError as error:
            raise WrongSetting(f"--set {setting}: {error}") from None
        if key in given:
            raise WrongSetting(
                f"--set {setting}: {key} is set twice, first as {given[key]}; keep one of them"
            )
        given[key] = text
        if key in form:
            # a form's text field holds several values as people write them
            chosen[key] = ", ".join(map(str, value)) if isinstance(value, list) else value
        elif key.split(".")[0] in Campaign.model_fields:
            overrides = merge(overrides, nested(key, value))
        else:
            raise WrongSetting(
                f"--set {setting}: neither the form nor a campaign has '{key}'; the form has "
                f"{', '.join(sorted(form))}; a campaign has {', '.join(Campaign.model_fields)}, "
                "and below them keys such as training.learning_rate"
            )
    return chosen | ({"overrides": overrides} if overrides else {})
