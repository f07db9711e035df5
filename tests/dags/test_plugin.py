"""The plugin in a real API server: it is loaded, and its page asks who is there."""

import json


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
