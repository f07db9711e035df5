"""The MLflow server: where it is, and whether it answers."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ANSWER_S = 30.0  # a server that has just begun checks its first password for seconds
DROPPED = "Connection aborted"
"""What is said of a kept connection that the server closed as it was asked: ask on a new one."""
PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run that lies below another."""
RUN_ID = "campaign.run_id"
"""Tag of a campaign's parent run, and of no other: the RunHandle's run_id."""

KIND, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"
"""MLflow's own tag of an experiment, and its value for one of models."""


MODE = "?workflowType=machine_learning"
"""Of an address: MLflow's pages are else those for language models, whatever an experiment is."""


def run_page(address: str, mlflow_run_id: str, experiment_id: str = "") -> str:
    """Address of a run's page, from MLflow's own; without an experiment MLflow forgets the mode."""
    path = f"/experiments/{experiment_id}" if experiment_id else ""
    return f"{address}/#{path}/runs/{mlflow_run_id}{MODE}"


def artifact_page(address: str, experiment_id: str, mlflow_run_id: str, path: str) -> str:
    """Address of the page that shows a file of a run."""
    return f"{address}/#/experiments/{experiment_id}/runs/{mlflow_run_id}/artifacts/{path}{MODE}"


def version_page(address: str, registered_model: str, version: str) -> str:
    """Address of the page of a model's version."""
    return f"{address}/#/models/{registered_model}/versions/{version}{MODE}"


class TrackingUnavailable(Exception):
    """The MLflow server does not answer; what would be logged stays in the spools."""


class MlflowHook:
    """MLflow's own client, at MLFLOW_TRACKING_URI; credentials as MLflow takes them.

    Links that a person opens lead to MLFLOW_PUBLIC_URL where the server has another name outside.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            raise TrackingUnavailable("MLFLOW_TRACKING_URI is not set; set it to MLflow's address")
        self.tracking_uri = uri.rstrip("/")

    @cached_property
    def client(self) -> "MlflowClient":
        """The client; it has not spoken to the server yet."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
        # Its words then go the way of ours: on stderr, Airflow takes every one for an error
        os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
        from mlflow import MlflowClient

        return MlflowClient(self.tracking_uri, self.tracking_uri)

    def require(self) -> "MlflowClient":
        """Return the client if the server answers it now; raises TrackingUnavailable.

        Asked first and once, because the client's own retries keep a task busy for minutes; and
        asked as the client asks, with its user, token and TLS settings.
        """
        client = self.client
        from mlflow.exceptions import MlflowException

        try:
            try:
                reply = self._asked()
            except MlflowException as error:
                if DROPPED not in str(error):
                    raise
                reply = self._asked()
        except (OSError, MlflowException) as error:
            raise TrackingUnavailable(f"MLflow at {self.tracking_uri}: {error}") from None
        if reply.status_code in (401, 403):
            raise TrackingUnavailable(
                f"MLflow at {self.tracking_uri} refuses the credentials ({reply.status_code}); set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        if not reply.ok:
            words = f"{reply.status_code} {reply.text[:200]}"
            raise TrackingUnavailable(f"MLflow at {self.tracking_uri}: {words}")
        return client

    def _asked(self) -> Any:
        """Ask for one experiment; return the reply, whatever its status."""
        from mlflow.tracking._tracking_service import utils
        from mlflow.utils import rest_utils

        return rest_utils.http_request(  # type: ignore[no-untyped-call]
            utils.get_default_host_creds(self.tracking_uri),  # type: ignore[attr-defined,no-untyped-call]
            "/api/2.0/mlflow/experiments/search",
            "GET",
            max_retries=0,
            timeout=ANSWER_S,
            raise_on_status=False,
            params={"max_results": 1},
        )

    def link(self, mlflow_run_id: str) -> str:
        """Page of a run."""
        return run_page(self.address, mlflow_run_id)

    @property
    def address(self) -> str:
        """Where a browser finds the server."""
        return os.environ.get("MLFLOW_PUBLIC_URL", self.tracking_uri).rstrip("/")

    def artifact_link(self, experiment_id: str, mlflow_run_id: str, path: str) -> str:
        """Page that shows a file of a run."""
        return artifact_page(self.address, experiment_id, mlflow_run_id, path)

    def experiment(self, name: str) -> str:
        """Id of the experiment of that name, made if need be."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def name_kind(self, experiment_id: str) -> None:
        """Tell MLflow that an experiment is one of models: it then opens on runs, not on traces."""
        if self.client.get_experiment(experiment_id).tags.get(KIND) != MODEL_TRAINING:
            self.client.set_experiment_tag(experiment_id, KIND, MODEL_TRAINING)

    def parent_run(self, experiment_id: str, run_id: str) -> "Run | None":
        """Look up the run of a campaign, above its trainings and validations."""
        return find_run(self.client, experiment_id, RUN_ID, run_id)


def find_run(client: "MlflowClient", experiment_id: str, tag: str, value: str) -> "Run | None":
    """Look up the one run with that tag; of two that were made in a race the later is deleted."""
    found = client.search_runs([experiment_id], f"tags.`{tag}` = '{literal(value)}'")
    runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
    for other in runs[1:]:
        client.delete_run(other.info.run_id)
    return runs[0] if runs else None


def find_or_create_run(
    client: "MlflowClient",
    experiment_id: str,
    tag: str,
    value: str,
    *,
    name: str,
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> "Run":
    """Return the one run with that tag, made if need be; may be repeated, and be raced for.

    name, parent (a run's id) and tags are those of a run that is made here.
    """
    run = find_run(client, experiment_id, tag, value)
    if run is None:
        below = {PARENT: parent} if parent else {}
        client.create_run(experiment_id, run_name=name, tags={**(tags or {}), **below, tag: value})
        run = find_run(client, experiment_id, tag, value)  # another may have been faster
        assert run is not None
    return run


def literal(text: str) -> str:
    """Return a value as it stands between the quotes of a filter.

    MLflow's filters know no escapes; raises ValueError for what would end the quotes.
    """
    if "'" in text or "\\" in text:
        raise ValueError(f"{text!r} cannot be searched for; leave out quotes and backslashes")
    return text
