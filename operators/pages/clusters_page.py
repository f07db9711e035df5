"""What the HPC page shows: of each cluster whether it answers, its jobs, its leases.

One look at a cluster is one session; what was seen is kept, with when it was seen, so that a
cluster that is away still shows what was known last.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.errors import ConfigurationError
from operators.cluster.errors import ClusterError, NeedsLogin
from operators.hooks.hpc import Connect, clusters_folder, open_session

REACHED, LOGIN, AWAY, WRONG = "reached", "needs login", "away", "described wrongly"
UNKNOWN = "not connected"
SAID = 400


@dataclass(frozen=True, slots=True)
class ClusterLook:
    """What one look at a cluster showed."""

    state: str
    at: float
    """Unix time"""
    words: str = ""
    jobs: Mapping[str, int] = field(default_factory=dict)
    """token of an array job -> live jobs of it"""
    leases: tuple[Mapping[str, Any], ...] = ()


def cluster_names() -> list[str]:
    """Name the clusters that are described in the dags folder."""
    return sorted(file.stem for file in clusters_folder().glob("*.yaml"))


def look(cluster: str, connect: Connect = open_session) -> ClusterLook:
    """Ask a cluster for our jobs and workspaces; that it cannot be asked is an answer, too."""
    now = time.time()
    try:
        with connect(cluster) as session:
            tokens = Counter(name.rpartition(".")[0] or name for name in session.queue().values())
            leases = tuple(
                {
                    "name": lease.name,
                    "path": lease.path,
                    "ends": None if lease.remaining_s is None else round(now + lease.remaining_s),
                }
                for lease in session.workspaces.list()
            )
        return ClusterLook(REACHED, now, jobs=dict(tokens), leases=leases)
    except NeedsLogin as error:
        return ClusterLook(LOGIN, now, str(error)[:SAID])
    except AirflowNotFoundException:
        words = f"There is no Connection '{cluster}' in Airflow; make one to use this cluster."
        return ClusterLook(UNKNOWN, now, words)
    except ConfigurationError as error:
        return ClusterLook(WRONG, now, str(error)[:SAID])
    except ClusterError as error:
        return ClusterLook(AWAY, now, str(error)[:SAID])


class Memory:
    """Of each cluster what was seen last, and what was seen when it last answered."""

    def __init__(self) -> None:
        self._reached: dict[str, ClusterLook] = {}

    def keep(self, cluster: str, seen: ClusterLook) -> ClusterLook:
        """Remember a look; returns the last one that was answered, or this."""
        if seen.state == REACHED:
            self._reached[cluster] = seen
        return self._reached.get(cluster, seen)


def clusters_document(
    seen: Mapping[str, tuple[ClusterLook, ClusterLook]],
    campaigns: Mapping[str, str],
    arrays: Iterable[Mapping[str, Any]],
    checks: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Put the page together.

    Parameters
    ----------
    seen
        Cluster -> the last look, and the last that was answered.
    campaigns
        Token of an array job -> the campaign's run, of those that the reader may see.
    arrays
        Arrays under way, as Airflow knows them, each with its "cluster".
    checks
        Cluster -> its last cluster check.
    """
    under_way = [dict(each) for each in arrays]
    return {
        "clusters": [
            {
                "name": name,
                "state": last.state,
                "looked": round(last.at),
                "reached": round(answered.at) if answered.state == REACHED else None,
                "words": last.words,
                "jobs": _by_campaign(answered.jobs, campaigns),
                "leases": list(answered.leases),
                "check": checks.get(name),
                "arrays": [each for each in under_way if each["cluster"] == name],
            }
            for name, (last, answered) in sorted(seen.items())
        ]
    }


def _by_campaign(jobs: Mapping[str, int], campaigns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Count live jobs by run; those of which the reader may not know are others."""
    counts: Counter[str] = Counter()
    for token, count in jobs.items():
        counts[campaigns.get(token, campaigns.get(token.partition(".")[0], "others"))] += count
    return [{"campaign": name, "jobs": count} for name, count in counts.most_common()]
