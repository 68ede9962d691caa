"""A headless Chromium without a network, driven over its own DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome")

#: No host but this machine has an address, and what Chromium itself would fetch in the background
#: stays home.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0",
)


class Tab:
    """One page in the browser, and whatever it said or asked for.

    Parameters
    ----------
    requests : addresses that were asked for
    complaints : errors and warnings of the console, and of the browser about the page
    """

    def __init__(self, address: str) -> None:
        self._socket = connect(address, proxy=None, max_size=None, ping_interval=None)
        self._number = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; give its answer."""
        self._number += 1
        self._socket.send(json.dumps(
            {"id": self._number, "method": method, "params": parameters}))
        while (message := json.loads(self._socket.recv(timeout=60))).get("id") != self._number:
            self._hear(message)
        assert "error" not in message, message
        return message["result"]

    def _hear(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(told["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told))

    def open(self, file: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Show a file from disk, and wait until it is whole."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Page.navigate", url=file.absolute().as_uri())
        while self.see("document.readyState") != "complete":
            time.sleep(0.05)

    def visit(self, url: str, until: str, *, width: int = 1280, seconds: float = 60) -> None:
        """Go to a page of a server, and wait until an expression is true there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        end = time.monotonic() + seconds
        while not self.see(f"!!document.body && !!({until})"):
            assert time.monotonic() < end, self.see("document.body.innerText")
            time.sleep(0.05)

    def see(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page, as the inspector sees it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> Any:
        """Value of an expression, once it has one that counts as true."""
        end = time.monotonic() + seconds
        while not (found := self.see(expression)):
            assert time.monotonic() < end, (expression, self.see("document.body.innerText"))
            time.sleep(0.05)
        return found

    def press(self, element: str) -> None:
        """Click an element, an expression, as a person does: in its middle, on the screen."""
        x, y = self.see(f"""(element => {{
            element.scrollIntoView({{block: 'center'}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})({element})""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, element: str, text: str) -> None:
        """Type a text into a field, an expression, in place of what stands there."""
        self.see(f"(element => {{ element.focus(); element.select(); }})({element})")
        self.call("Input.insertText", text=text)

    def picture(self, file: Path) -> None:
        """Save the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Let go of the browser."""
        self._socket.close()


@contextmanager
def chromium(home: Path) -> Iterator[str]:
    """Address of a running Chromium's DevTools; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with subprocess.Popen([program, *FLAGS, f"--user-data-dir={home}", "about:blank"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        port = home / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not port.exists() or len(port.read_text().split()) < 2:
            assert time.monotonic() < until, "Chromium did not start"
            assert process.poll() is None, "Chromium ended at once"
            time.sleep(0.05)
        number, path = port.read_text().split()
        yield f"ws://127.0.0.1:{number}{path}"
        process.terminate()


@contextmanager
def empty_tab(browser: str) -> Iterator[Tab]:
    """An empty page."""
    with connect(browser, proxy=None) as whole:
        whole.send(json.dumps({"id": 1, "method": "Target.createTarget",
                               "params": {"url": "about:blank"}}))
        while "result" not in (answer := json.loads(whole.recv(timeout=60))):
            pass
    server, _, _ = browser.partition("/devtools/")
    page = Tab(f"{server}/devtools/page/{answer['result']['targetId']}")
    yield page
    page.close()
