"""`--set key=value` -> the conf of a DAG run."""

from collections.abc import Collection, Iterable
from typing import Any

import yaml

from hpc_jobs.contract.campaign import Campaign


class WrongSetting(Exception):
    """A --set that cannot be understood; the message says how to write it."""


def conf(campaign: str, settings: Iterable[str], form: Collection[str]) -> dict[str, Any]:
    """Return the conf: fields of the trigger form as they are, keys of a campaign as overrides.

    Values are YAML: 200, true, [0, 45, 90], {law: swift}. Airflow checks them against the form,
    the first task against the campaign's contract.
    """
    chosen: dict[str, Any] = {"campaign": campaign}
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise WrongSetting(f"--set {setting}: write key=value, such as train_records=200")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise WrongSetting(f"--set {setting}: '{text}' is not a value in YAML") from None
        if key in form:
            chosen[key] = value
        elif key.split(".")[0] in Campaign.model_fields:
            _put(overrides, key.split("."), value)
        else:
            raise WrongSetting(
                f"--set {setting}: neither the form nor a campaign has '{key}'; the form has "
                f"{', '.join(sorted(form))}; a campaign has {', '.join(Campaign.model_fields)}, "
                "and below them keys such as training.learning_rate"
            )
    return chosen | ({"overrides": overrides} if overrides else {})


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
