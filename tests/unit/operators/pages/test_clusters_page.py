"""The HPC page: a cluster that answers, one that does not, and what a reader may see."""

from operators.pages.cache import Cache
from operators.pages.clusters_page import (
    AWAY,
    REACHED,
    UNKNOWN,
    WRONG,
    ClusterLook,
    Memory,
    cluster_names,
    clusters_document,
    look,
)


def test_a_cluster_that_answers_shows_its_workspaces(cluster):
    seen = look("cpu")
    assert seen.state == REACHED and not seen.jobs
    assert [lease["name"] for lease in seen.leases] == ["w"]
    assert cluster_names() == ["cpu"]


def test_one_that_is_away_still_shows_what_was_known_last(cluster):
    memory = Memory()
    before = look("cpu")
    memory.keep("cpu", before)
    cluster.login.stop()
    after = look("cpu")
    assert after.state == AWAY and after.words
    [one] = clusters_document({"cpu": (after, memory.keep("cpu", after))}, {}, [], {})["clusters"]
    assert (one["state"], one["reached"]) == (AWAY, round(before.at))
    assert one["leases"] == list(before.leases)


def test_one_that_is_not_described_is_said(cluster):
    seen = look("nowhere")
    assert seen.state in (UNKNOWN, WRONG) and "nowhere" in seen.words
    [one] = clusters_document({"nowhere": (seen, seen)}, {}, [], {})["clusters"]
    assert one["reached"] is None


def test_jobs_are_counted_by_campaign_and_those_of_others_are_not_named():
    seen = ClusterLook(REACHED, 1.0, jobs={"a-1": 3, "a-2.2": 2, "b-9": 4})
    [one] = clusters_document(
        {"cpu": (seen, seen)}, {"a-1": "demo-1", "a-2": "demo-1"}, [], {"cpu": {"state": "success"}}
    )["clusters"]
    assert one["jobs"] == [{"campaign": "demo-1", "jobs": 5}, {"campaign": "others", "jobs": 4}]
    assert one["check"] == {"state": "success"}


def test_a_cache_reads_once_and_again_when_it_is_old():
    now, reads = [0.0], []
    cache = Cache[int](10.0, clock=lambda: now[0])

    def read() -> int:
        reads.append(now[0])
        return len(reads)

    assert cache.get("a", read) == (1, 0.0)
    now[0] = 9.0
    assert cache.get("a", read) == (1, 9.0)
    now[0] = 10.5
    assert cache.get("a", read) == (2, 0.0)
    assert cache.get("b", read) == (3, 0.0)
