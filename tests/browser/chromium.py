"""A headless Chromium that is told what to do by the WebDriver protocol, over its own HTTP."""

import base64
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.clusters.ports import claim_ports
from tests.harness import waiting
from tests.harness.waiting import wait_until

PATIENCE_S = 4 * waiting.PATIENCE_S
"""A browser draws its pages on the machine that is busy."""
GONE = ("stale element reference", "no such element")
WIDTH, HEIGHT = 1280, 1000
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    f"--window-size={WIDTH},{HEIGHT}",
)


class Browser:
    """One window."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        patient = dict.fromkeys(("script", "pageLoad"), int(1000 * PATIENCE_S))
        wanted = {
            "browserName": "chrome",
            "timeouts": patient,
            "goog:chromeOptions": {"args": [*FLAGS]},
        }
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
        wait_until(lambda: self.run(script, text), PATIENCE_S, f"a link '{text}'")

    def press(self, text: str) -> None:
        """Press the button that bears that text, the last of several, once it can be pressed."""
        script = (
            "const found = [...document.querySelectorAll('button')].filter((one) =>"
            "  !one.disabled && (one.innerText.trim() === arguments[0]"
            "  || one.getAttribute('aria-label') === arguments[0])).pop();"
            "if (found) { found.focus(); found.click(); } return Boolean(found);"
        )
        wait_until(lambda: self.run(script, text), PATIENCE_S, f"a button '{text}'")

    def type(self, selector: str, text: str) -> None:
        """Type into the field that a CSS selector finds, once it is there, as a person does."""

        def typed() -> bool:
            for found in self._elements(selector):
                one = f"/session{self._session}/element/{found}"
                reply = self._http.post(f"{one}/value", json={"text": text})
                if reply.status_code == 200:
                    return True
                said = reply.json()["value"]  # a field that is still hidden comes later
                assert said["error"] in ("element not interactable", *GONE), said
            return False

        wait_until(typed, PATIENCE_S, f"a field {selector}")

    def unfold(self, section: str, selector: str) -> None:
        """Open a section of a form, and open it again if the form was drawn anew meanwhile."""
        seen = (
            "const one = document.querySelector(arguments[0]);"
            "return Boolean(one && one.getClientRects().length"
            "  && one.getBoundingClientRect().height > 0"
            "  && getComputedStyle(one).visibility === 'visible'"
            "  && !one.closest('[hidden], [data-state=closed]'));"
        )

        def opened() -> bool:
            if not self.run(seen, selector):
                self.press(section)
                time.sleep(1)  # the section opens slowly, and a second press would close it
            return bool(self.run(seen, selector))

        wait_until(opened, PATIENCE_S, f"the section '{section}' is open")

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


@contextmanager
def browser() -> Iterator[Browser]:
    """Start driver and window; both end with the block."""
    (port,) = claim_ports(1)
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=address, timeout=2 * PATIENCE_S, trust_env=False) as http:

            def ready() -> bool:
                try:
                    return bool(http.get("/status").json()["value"]["ready"])
                except httpx.TransportError:
                    assert driver.poll() is None, "chromedriver has ended"
                    return False

            wait_until(ready, PATIENCE_S, "chromedriver is ready")
            window = Browser(http)
            try:
                yield window
            finally:
                window.close()
    finally:
        driver.terminate()
        driver.wait(30)
