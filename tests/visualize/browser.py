"""A headless Chromium, driven over the pipe of its DevTools protocol; nothing but the browser is needed."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LIMIT = 60  # seconds for one answer
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")


def installed():
    """The path of Chromium or Chrome, or `None`."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """A tab of the browser: calls of the protocol, and what the page asked the network for."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.session, self.number, self.buffer, self.requests, self.loaded = None, 0, b"", [], False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        message |= {} if self.session is None else {"sessionId": self.session}
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url):
        self.requests, self.loaded = [], False
        self.call("Page.navigate", url=url)
        while not self.loaded:
            self._read()

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def point(self, element, click=False):
        """Moves the pointer to the middle of what a JavaScript expression names, and may click there."""
        middle = "(e => { e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
        x, y = self.evaluate(f"{middle} return [r.x + r.width / 2, r.y + r.height / 2]; }})({element})")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _read(self):
        """The next message; notes requests and the end of loading."""
        end = time.monotonic() + LIMIT
        while b"\0" not in self.buffer:
            assert select.select([self.from_browser], [], [], max(0, end - time.monotonic()))[0], "no answer"
            more = os.read(self.from_browser, 1 << 16)
            assert more, "the browser has closed"
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(message)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        self.loaded |= message.get("method") == "Page.loadEventFired"
        return message


@contextlib.contextmanager
def browser(folder):
    """Context of a `Tab` of a browser with its profile in `folder`."""
    read_commands, write_commands = os.pipe()
    read_answers, write_answers = os.pipe()

    def as_expected():  # the browser reads from 3 and writes to 4
        first, second = os.dup(read_commands), os.dup(write_answers)
        os.dup2(first, 3)
        os.dup2(second, 4)

    command = [installed(), *SWITCHES, f"--user-data-dir={folder}", "--window-size=900,700"]
    process = subprocess.Popen(
        command, preexec_fn=as_expected, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        yield Tab(write_commands, read_answers)
    finally:
        process.terminate()
        process.wait()
        os.close(write_commands)
        os.close(read_answers)
