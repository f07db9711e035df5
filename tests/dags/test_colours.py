"""What decides the colour of a DAG run: the work, never what tells of it or tidies up after it."""

import json

LOAD = """
import json, logging
logging.disable(logging.CRITICAL)
from airflow.sdk.configuration import conf
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(conf.get("core", "dags_folder"))
assert not bag.import_errors, bag.import_errors
dags = {}
for dag_id, dag in bag.dags.items():
    deciding = [
        task.task_id for task in dag.tasks
        if not task.is_teardown
        and all(dag.get_task(below).is_teardown for below in task.downstream_task_ids)
    ]
    dags[dag_id] = {
        "deciding": deciding,
        "rules": {task.task_id: str(task.trigger_rule.value) for task in dag.tasks},
        "teardowns": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks if t.is_teardown},
        "upstream": {t.task_id: sorted(t.get_flat_relative_ids(upstream=True)) for t in dag.tasks},
        "outlets": {
            t.task_id: [type(o).__name__ for o in t.outlets] for t in dag.tasks if t.outlets
        },
    }
print("RESULT", json.dumps(dags))
"""

RULES = {"all_success", "all_done_setup_success", "all_done"}


def load(in_airflow):
    line = next(x for x in in_airflow(LOAD).splitlines() if x.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def test_every_failure_reaches_what_decides_the_colour(in_airflow):
    """A task that failed leaves a deciding one failed: itself, or one that comes after it."""
    for dag_id, dag in load(in_airflow).items():
        for task, rule in dag["rules"].items():
            if task in dag["teardowns"]:
                continue
            after = {leaf for leaf in dag["deciding"] if task in dag["upstream"][leaf]}
            red = {leaf for leaf in after if dag["rules"][leaf] == "all_success"}
            # the table of housekeeping fails itself where a sweep did not end
            assert task in dag["deciding"] or red or dag_id == "housekeeping", (dag_id, task)
            assert rule in RULES, f"{dag_id}.{task} is skipped while all is well: {rule}"


def test_what_closes_a_run_comes_after_all_and_decides_nothing(in_airflow):
    dags = load(in_airflow)
    for dag_id in ("hybrid_campaign", "hyperparameter_search"):
        dag = dags[dag_id]
        assert list(dag["teardowns"]) == ["close_run"]
        assert set(dag["teardowns"]["close_run"]) >= set(dag["deciding"])
        assert set(dag["upstream"]["close_run"]) == set(dag["rules"]) - {"close_run"}


def test_what_may_have_nothing_to_tell_is_not_skipped_for_it(in_airflow):
    """An alias emits what the task adds; a plain asset would always emit, unless skipped."""
    dags = load(in_airflow)
    for dag_id in ("hybrid_campaign", "retraining"):
        assert dags[dag_id]["outlets"]["announce_champion"] == ["AssetAlias"]
    assert dags["inverse_validation"]["outlets"]["announce_failure"] == ["AssetAlias"]
    assert dags["nightly_campaign"]["outlets"]["announce_growth"] == ["AssetAlias"]
    assert dags["inverse_validation"]["outlets"]["watch_production"] == ["AssetAlias"]


def test_who_goes_on_with_a_run_takes_a_turn_first(in_airflow):
    dags = load(in_airflow)
    for dag_id in ("nightly_campaign", "retraining", "inverse_validation", "hyperparameter_search"):
        upstream = dags[dag_id]["upstream"]
        before = {"await_turn", "find_champion"}
        late = {task for task in upstream if task not in before}
        assert all("await_turn" in upstream[task] for task in late), dag_id
