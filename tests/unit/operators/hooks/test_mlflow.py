"""Whether MLflow answers is asked as MLflow's client asks: with its token, and over its TLS."""

import json
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from operators.hooks.mlflow import MlflowHook, TrackingUnavailable, literal

TOKEN = "a-token"


class Gateway(BaseHTTPRequestHandler):
    """What stands before an MLflow that a site runs: TLS of its own authority, and a token."""

    def do_GET(self) -> None:
        good = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        body = json.dumps({"experiments": []}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address, and the file of the authority that vouches for it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"https://localhost:{server.server_port}", certificate
        server.shutdown()
        serving.join()


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "USERNAME", "PASSWORD", "SERVER_CERT_PATH", "INSECURE_TLS"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


def test_token_and_authority_are_those_of_the_client(
    gateway: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, authority = gateway
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    with pytest.raises(TrackingUnavailable, match=r"(?i)certificate"):
        MlflowHook(address).require()
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority))
    assert MlflowHook(address).require().search_experiments() == []
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "another")
    with pytest.raises(TrackingUnavailable, match=r"refuses the credentials \(401\).*TOKEN"):
        MlflowHook(address).require()


def test_what_would_end_a_filters_quotes_is_refused() -> None:
    assert literal("demo-1 ü") == "demo-1 ü"
    for text in ("x' or '1", "a\\"):
        with pytest.raises(ValueError, match="cannot be searched for"):
            literal(text)


class Dropping(HTTPServer):
    """Resets the first connections, as a server does that closes a kept one when it is asked."""

    drops = 1

    def finish_request(self, request, client_address) -> None:
        if self.drops:
            self.drops -= 1
            request.recv(1)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close()
        else:
            super().finish_request(request, client_address)

    def shutdown_request(self, request) -> None:
        request.close()


@pytest.mark.parametrize("drops", [1, 2])
def test_a_connection_that_was_dropped_is_no_answer(
    drops: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    with Dropping(("127.0.0.1", 0), Gateway) as server:
        server.drops = drops
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        hook = MlflowHook(f"http://127.0.0.1:{server.server_port}")
        try:
            if drops == 1:
                assert hook.require() is hook.client
            else:
                with pytest.raises(TrackingUnavailable, match="aborted"):
                    hook.require()
        finally:
            server.shutdown()
            serving.join()
