"""The graph draws the experiment: few edges from what all take, and nothing before its time."""

import json

LOAD = """
import json, logging
from airflow.sdk.configuration import conf
FOLDER = conf.get("core", "dags_folder")
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import DagBag
from yieldloop_dags.handles import taken
from airflow.serialization.serialized_objects import DagSerialization

found = {}
for dag_id, dag in DagBag(FOLDER).dags.items():
    tasks = {}
    for one in dag.tasks:
        fields = [getattr(one, name, None) for name in one.template_fields]
        tasks[one.task_id] = {
            "takes": sorted({each.task_id for field in fields for each in taken(field)}),
            "before": sorted(one.get_flat_relative_ids(upstream=True)),
            "edges": len(one.downstream_task_ids),
        }
    stored = [json.dumps(DagSerialization.to_dict(dag), default=str) for _ in range(2)]
    found[dag_id] = {"tasks": tasks, "stored": " object at 0x" in stored[0]}
print("RESULT", json.dumps(found))
"""


def test_what_takes_a_value_comes_after_it_and_few_edges_lead_from_the_run(in_airflow):
    printed = in_airflow(LOAD)
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    dags = json.loads(line.removeprefix("RESULT "))
    some = 0
    for dag_id, dag in dags.items():
        assert not dag["stored"], f"{dag_id}: an address in memory makes a new version each time"
        for task_id, one in dag["tasks"].items():
            some += len(one["takes"])
            assert set(one["takes"]) <= set(one["before"]), f"{dag_id}.{task_id}"
            assert one["edges"] <= 4, f"{dag_id}.{task_id} has {one['edges']} edges"
    assert some > 50, "the tasks take the run's handle"
