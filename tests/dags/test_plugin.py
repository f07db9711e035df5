"""The plugin in a real API server: it is loaded, and its page asks who is there."""

import json
from pathlib import Path

STATIC = Path(__file__).parents[2] / "operators" / "pages" / "static"


def test_the_log_page_asks_who_is_there(in_airflow):
    answers = in_airflow("""
import json, os
os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = "admin:admin,nobody:viewer"
os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = "s" * 64
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient
from operators.links import log_page

client = TestClient(create_app())
token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="admin", role="admin"))
page = log_page("hybrid_campaign", "manual__1+00:00", "train")
known = {"Authorization": f"Bearer {token}"}
print(json.dumps({
    "stranger": client.get(page).status_code,
    "forged": client.get(page, headers={"Authorization": "Bearer x"}).status_code,
    "known": [client.get(page, headers=known).status_code, client.get(page, headers=known).text],
    "incomplete": client.get("/hpc/logs/", headers=known).status_code,
    "written": client.post(page, headers=known).status_code,
}))
""")
    answers = json.loads(answers.splitlines()[-1])
    assert answers["stranger"] == 401
    assert answers["forged"] in (401, 403)
    status, text = answers["known"]
    assert status == 404 and "has not opened" in text
    assert answers["incomplete"] == 422
    assert answers["written"] == 405


def test_array_jobs_have_a_job_log_link(in_airflow):
    names = in_airflow("""
from airflow import plugins_manager
import json
print(json.dumps({
    "errors": {k: str(v) for k, v in plugins_manager.get_import_errors().items()},
    "links": [[link.name, [o.__name__ for o in link.operators]]
              for link in plugins_manager.get_operator_extra_links()],
}))
""")
    found = json.loads(names.splitlines()[-1])
    assert found["errors"] == {}
    assert ["Job log", ["HpcArrayJobOperator"]] in found["links"]


PAGE = """
import json, os, time
os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = "admin:admin,nobody:viewer"
os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = "s" * 64
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from airflow._shared.timezones import timezone
from fastapi.testclient import TestClient

client = TestClient(create_app())
manager = get_auth_manager()
def bearer(name):
    token = manager.generate_jwt(SimpleAuthManagerUser(username=name, role=name))
    return {"Authorization": f"Bearer {token}"}
with create_session() as session:
    session.add(DagRun(
        dag_id="housekeeping", run_id="r", run_type=DagRunType.MANUAL, state=DagRunState.SUCCESS,
        run_after=timezone.utcnow(), start_date=timezone.utcnow(),
    ))
page = "/hpc/campaign/data?dag_id=housekeeping&run_id=r"
known = bearer("admin")
first = client.get(page, headers=known)
again = client.get(page, headers=known | {"If-None-Match": first.headers.get("etag", "")})
script = client.get("/hpc/static/campaign.js")
answers = {
    "stranger": client.get(page).status_code,
    "known": [first.status_code, first.text],
    "unchanged": [again.status_code, again.text],
    "unheard": client.get(page.replace("run_id=r", "run_id=x"), headers=known).status_code,
    "written": client.post(page, headers=known).status_code,
    "no script": [client.get(f"/hpc/static/{name}").status_code for name in ("x.js", "..%2Fx.py")],
    "script": [script.status_code, script.headers["content-type"], script.text[-60:]],
    "apps": client.get("/api/v2/plugins", headers=known).json()["plugins"],
}
allowed = manager.is_authorized_dag
def own_dags_only(*, method, user, access_entity=None, details=None, **more):
    return details is None or details.id != "housekeeping"
manager.is_authorized_dag = own_dags_only
answers["another's"] = client.get(page, headers=known).status_code
print(json.dumps(answers))
"""


def test_the_campaign_tab_shows_a_dag_run_to_those_who_may_read_it(in_airflow):
    answers = json.loads(in_airflow(PAGE).splitlines()[-1])
    assert answers["stranger"] == 401
    assert answers["another's"] == 403
    status, text = answers["known"]
    assert status == 200, text
    assert json.loads(text) == {"campaign": False, "failed": [], "state": "success"}
    assert answers["unchanged"] == [304, ""]
    assert answers["unheard"] == 404 and answers["written"] == 405
    status, kind, text = answers["script"]
    assert status == 200 and kind.startswith("text/javascript")
    assert answers["no script"] == [404, 404]
    apps = [app for plugin in answers["apps"] for app in plugin["react_apps"]]
    assert [(app["name"], app["destination"], app["url_route"]) for app in apps] == [
        ("Campaign", "dag_run", "campaign"),
        ("Elements", "task_instance", "elements"),
        ("HPC", "nav", "hpc"),
    ]
    assert apps[0]["bundle_url"] == "hpc/static/campaign.js"
    for app in apps:
        script = (STATIC / app["bundle_url"].rpartition("/")[2]).read_text()
        assert f"globalThis.{app['name']} =" in script


DOORS = (
    PAGE.split("with create_session() as")[0]
    + """
data = "/hpc/elements/data?dag_id=housekeeping&run_id=r&task_id=table"
one = data.replace("/data?", "/element?") + "&element=0"
clusters = "/hpc/clusters/data"
known = bearer("admin")
def ask(**more):
    return {page: client.get(page, **more).status_code for page in (data, one, clusters)}
answers = {
    "stranger": ask(),
    "written": [client.post(page, headers=known).status_code for page in (data, one, clusters)],
    "no such task": client.get(data, headers=known).status_code,
    "clusters": client.get(clusters, headers=known).json(),
}
def own_dags_only(*, method, user, access_entity=None, details=None, **more):
    return details is None or details.id != "housekeeping"
manager.is_authorized_dag = own_dags_only
answers["another's"] = [client.get(page, headers=known).status_code for page in (data, one)]
manager.is_authorized_view = lambda **more: False
answers["not the clusters"] = client.get(clusters, headers=known).status_code
print(json.dumps(answers))
"""
)


def test_elements_and_clusters_ask_who_is_there(in_airflow):
    answers = json.loads(in_airflow(DOORS).splitlines()[-1])
    assert set(answers["stranger"].values()) == {401}
    assert answers["another's"] == [403, 403]
    assert answers["not the clusters"] == 403
    assert answers["written"] == [405, 405, 405]
    assert answers["no such task"] == 404
    seen = {one["name"]: one["state"] for one in answers["clusters"]["clusters"]}
    assert set(seen) >= {"cpu", "ai"}
    assert set(seen.values()) == {"not connected"}, "there is no Connection: said, not raised"
