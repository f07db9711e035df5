"""Requests to a busy server: what a lost reply had made is not made twice."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

from quickstart.stack import airflow_api
from quickstart.stack.airflow_api import AirflowApi


class Busy(BaseHTTPRequestHandler):
    """Makes what it is asked to, and plays what becomes of its replies, one after the other."""

    plays: ClassVar[list[str]] = []
    made: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        play = self.plays.pop(0) if self.plays else "answered"
        if play == "refused":
            return self._reply(400)
        known = self.path in self.made
        self.made.extend([] if known else [self.path])
        if play == "lost":
            self.close_connection = True
            return self.connection.close()
        return self._reply(500 if play == "failed" else 409 if known else 200)

    def _reply(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowApi]:
    monkeypatch.setattr(airflow_api, "PAUSES_S", (0.0, 0.0, 0.0))
    Busy.plays.clear()
    Busy.made.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with AirflowApi(f"http://127.0.0.1:{server.server_port}", "me", "secret") as session:
            yield session
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("play", ["failed", "lost"])
def test_what_a_lost_reply_had_made_is_made_once(api: AirflowApi, play: str) -> None:
    Busy.plays.extend([play, play])
    api.create("dags/campaign/dagRuns", {"dag_run_id": "one"})
    assert Busy.made == ["/api/v2/dags/campaign/dagRuns"]


def test_a_refusal_is_not_repeated(api: AirflowApi) -> None:
    Busy.plays.extend(["refused", "answered"])
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        api.create("dags/campaign/dagRuns", {})
    assert Busy.made == [] and Busy.plays == ["answered"]


def test_who_never_answers_is_given_up_with_the_reason(api: AirflowApi) -> None:
    Busy.plays.extend(["lost"] * 4)
    with pytest.raises(httpx.TransportError):
        api.request("POST", "dags/campaign/dagRuns", json={})
    assert Busy.plays == []
