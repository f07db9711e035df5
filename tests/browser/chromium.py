"""A headless Chromium that is told what to do by the WebDriver protocol, over its own HTTP."""

import base64
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.harness.waiting import PATIENCE_S, wait_until

WIDTH, HEIGHT = 1280, 1000
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    f"--window-size={WIDTH},{HEIGHT}",
)


class Browser:
    """One window."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": [*FLAGS]}}
        reply = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/{reply['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._http.request(method, f"/session{path}", json=body)
        value = reply.json()["value"]
        assert reply.status_code == 200, value
        return value

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        body = {"script": script, "args": [*arguments]}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    @property
    def text(self) -> str:
        return str(self.run("return document.body ? document.body.innerText : ''"))

    def reads(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        wait_until(lambda: text in self.text, timeout_s, f"the page says '{text}'")

    def click(self, text: str) -> None:
        """Click the link that bears that text, once it is there."""
        script = (
            "const found = [...document.querySelectorAll('a')]"
            ".find((one) => one.innerText.trim() === arguments[0]);"
            "if (found) found.click(); return Boolean(found);"
        )
        wait_until(lambda: self.run(script, text), what=f"a link '{text}'")

    def press(self, text: str) -> None:
        """Press the button that bears that text, the last of several, once it can be pressed."""
        script = (
            "const found = [...document.querySelectorAll('button')].filter((one) =>"
            "  !one.disabled && (one.innerText.trim() === arguments[0]"
            "  || one.getAttribute('aria-label') === arguments[0])).pop();"
            "if (found) found.click(); return Boolean(found);"
        )
        wait_until(lambda: self.run(script, text), what=f"a button '{text}'")

    def type(self, selector: str, text: str) -> None:
        """Type into the field that a CSS selector finds, once it is there, as a person does."""
        found = wait_until(lambda: self._elements(selector), what=f"a field {selector}")
        one = f"{self._session}/element/{found[0]}"
        self._ask("POST", f"{one}/click", {})
        self._ask("POST", f"{one}/value", {"text": text})

    def _elements(self, selector: str) -> list[str]:
        query = {"using": "css selector", "value": selector}
        found = self._ask("POST", f"{self._session}/elements", query)
        return [next(iter(one.values())) for one in found]

    @property
    def address(self) -> str:
        return str(self._ask("GET", f"{self._session}/url"))

    def clicks_to(self, *texts: str) -> int:
        """Click links one after the other; returns how many clicks that was."""
        for text in texts:
            self.click(text)
        return len(texts)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def close(self) -> None:
        self._ask("DELETE", self._session)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def browser() -> Iterator[Browser]:
    """Start driver and window; both end with the block."""
    port = free_port()
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=address, timeout=120, trust_env=False) as http:

            def ready() -> bool:
                try:
                    return bool(http.get("/status").json()["value"]["ready"])
                except httpx.TransportError:
                    assert driver.poll() is None, "chromedriver has ended"
                    return False

            wait_until(ready, what="chromedriver is ready")
            window = Browser(http)
            try:
                yield window
            finally:
                window.close()
    finally:
        driver.terminate()
        driver.wait(30)
