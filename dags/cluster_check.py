"""# Cluster check: whether a cluster is ready for campaigns.

Tries one cluster of `dags/clusters` end to end: login, host key, workspace, code, a small array
job, its results, a cancelled job, and the view of the shared filesystem from a partner. Each step
is a line of the task's log, in plain words: what was tried, what came back, what to do.
"""

from pathlib import Path

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

# Proposals only: a file that was written a moment ago may be named as well.
NAME = "^[a-z][a-z0-9_-]{0,47}$"
CLUSTERS = sorted(file.stem for file in (Path(__file__).parent / "clusters").glob("*.yaml"))


@dag(
    dag_display_name="Cluster check",
    description="Whether a cluster is ready for campaigns.",
    schedule=None,
    params={
        "cluster": Param(
            CLUSTERS[0],
            type="string",
            pattern=NAME,
            examples=CLUSTERS,
            title="Cluster",
            description_md="A file of `dags/clusters/`; its Connection has the same name.",
        ),
        "partner": Param(
            None,
            type=["null", "string"],
            pattern=NAME,
            examples=CLUSTERS,
            title="Partner",
            description_md="Another cluster that must see the same workspace.",
        ),
        "role": Param(
            "cpu",
            type="string",
            enum=["cpu", "gpu", "both"],
            title="Role",
            description_md="What the cluster is for: `cpu` simulations, `gpu` training.",
        ),
        "wait_s": Param(
            600,
            type="integer",
            minimum=10,
            maximum=86400,
            title="Patience, s",
            description_md="How long the small job may wait in the queue.",
        ),
    },
    doc_md=__doc__,
    tags=["yieldloop"],
)
def cluster_check():
    """Check one cluster."""

    @task
    def check(params: dict, ti=None) -> list[dict[str, str]]:
        from operators.checks.cluster import check_cluster, mark_of

        steps = check_cluster(
            params["cluster"],
            params["partner"],
            params["role"],
            params["wait_s"],
            mark=mark_of(ti.run_id),
        )
        if not steps.good:
            raise AirflowFailException(f"not ready for campaigns:\n{steps.in_words()}")
        return steps.rows()

    @task
    def clean_up(params: dict, ti=None) -> str:
        """Remove what a check has left that was killed, and could not tidy up itself."""
        from operators.checks.cluster import clean_up, mark_of

        return clean_up(params["cluster"], mark_of(ti.run_id))

    checked = check()
    checked >> clean_up().as_teardown(setups=checked)


cluster_check()
