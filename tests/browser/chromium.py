"""A headless Chromium, driven over its debugging pipe: no driver, no library, no port.

https://chromedevtools.github.io/devtools-protocol/ : JSON messages, each ended by a zero byte, on descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str:
    """The browser of this machine; the test is skipped where there is none."""
    if os.name == "nt":
        pytest.skip("the debugging pipe is driven as on POSIX")
    found = next((path for name in NAMES if (path := shutil.which(name))), "")
    if not found:
        pytest.skip("no Chromium on this machine: apt install chromium")
    return found


class Browser:
    """One page of one browser."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900) -> None:
        to_read, self._write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in os.pipe())
        self._read, to_write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in os.pipe())

        def hand_over() -> None:
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        self.process = subprocess.Popen(
            [
                chromium(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            preexec_fn=hand_over,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._received = b""
        self._count = 0
        self._session = ""
        self.logged: list[str] = []  # errors of the page
        target = self.sends("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.sends("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.sends("Page.enable")
        self.sends("Runtime.enable")
        self.sends("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def sends(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser has ended"
            self._received += piece
        text, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if message.get("method") == "Runtime.exceptionThrown":
            self.logged.append(json.dumps(message["params"])[:500])
        return message

    def goes_to(self, url: str) -> None:
        """Open a page."""
        self.sends("Page.navigate", url=url)

    def finds(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        found = self.sends("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def waits_for(self, expression: str, seconds: float = 60.0) -> Any:
        """The first value of an expression that is true; a page that is not that far may fail it."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.sends("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
            value = None if "exceptionDetails" in found else found["result"].get("value")
            if value:
                return value
            if time.monotonic() > deadline:
                if os.environ.get("NBDAG_PICTURES"):
                    self.pictures(Path(os.environ["NBDAG_PICTURES"], "failed.png"))
                raise AssertionError(f"not within {seconds} s: {expression}\n{json.dumps(found)[:600]}")
            time.sleep(0.1)

    def presses(self, key: str, text: str = "") -> None:
        """One key."""
        for kind in ("keyDown", "keyUp"):
            self.sends("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "")

    def clicks(self, selector: str) -> None:
        """The middle of the first element of a selector."""
        place = self.waits_for(
            f"(() => {{ const e = document.querySelector({selector!r}); if (!e) return null; e.scrollIntoView("
            "{block: 'center'}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; "
            "}) ()".replace("}) ()", "})()")
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.sends("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def pictures(self, path: Path, whole: bool = False) -> None:
        """Keep a screenshot."""
        found = self.sends("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def closes(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for end in (self._read, self._write):
            os.close(end)
