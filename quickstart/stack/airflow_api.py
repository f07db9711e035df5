"""Airflow's REST API, as far as the stack and `campaign` use it."""

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx

from quickstart.stack.components import login_user
from quickstart.stack.layout import NODES, Layout
from quickstart.stack.ports import HOST, Ports

PAUSES_S = (0.5, 1.0, 2.0)


class AirflowApi:
    """A session of one user, to be used with `with`; logs in when it must."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._user = {"username": user, "password": password}
        self._client = httpx.Client(base_url=url, timeout=30.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """GET /api/v2/<path>."""
        return self.request("GET", path, params=parameters).json()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request, which must be such that it may be repeated.

        On SQLite the server answers 500 when two requests wait for each other, and a busy one
        may not answer in time; the next try finds the way free. Raises httpx.HTTPStatusError or
        httpx.TransportError unless one succeeds.
        """
        for pause_s in PAUSES_S:
            with contextlib.suppress(httpx.TransportError):
                reply = self._ask(method, path, options)
                if not reply.is_server_error:
                    return reply.raise_for_status()
            time.sleep(pause_s)
        return self._ask(method, path, options).raise_for_status()

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """POST what bears a name of its own; that an earlier try has made it is as good."""
        try:
            self.request("POST", path, json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def _ask(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        reply = self._client.request(method, f"/api/v2/{path}", **options)
        if reply.status_code != httpx.codes.UNAUTHORIZED:
            return reply
        self._log_in()
        return self._client.request(method, f"/api/v2/{path}", **options)

    def _log_in(self) -> None:
        reply = self._client.post("/auth/token", json=self._user).raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"


def publish_connections(api: AirflowApi, layout: Layout, ports: Ports) -> None:
    """Make the connections `cpu` and `ai` what they should be; they hold no secret."""
    present = {c["connection_id"]: c for c in api.get("connections", limit=100)["connections"]}
    for node in NODES:
        wanted = _connection(layout, ports, node)
        if node not in present:
            api.create("connections", wanted)
        elif any(present[node].get(key) != value for key, value in wanted.items()):
            api.request("PATCH", f"connections/{node}", json=wanted)


def _connection(layout: Layout, ports: Ports, node: str) -> dict[str, Any]:
    from quickstart.login_node import make_key, public_line

    extra = {
        "host_key": public_line(make_key(layout.host_key(node))),
        "key_file": str(layout.client_key),
    }
    return {
        "connection_id": node,
        "conn_type": "hpc",
        "description": f"The one-machine stack's login node '{node}'.",
        "host": HOST,
        "port": ports.login(node),
        "login": login_user(),
        "extra": json.dumps(extra),
    }
