"""Checks every page of a built site in headless Chromium, 1280 and 390 pixels wide.

    python docs/check_site.py SITE [TEXT IN THE PATHS OF PAGES]

Nothing may be wider than the page, unless it scrolls inside its own block; no file may be missing; nothing may come
from another host; the search must find what people look for. Without Chromium, says so and checks nothing.
"""

import functools
import http.server
import json
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

WIDTHS = (1280, 390)
SECONDS = 900
# What people type, and a page that must be among the results.
SEARCHES = {
    "multi-head": "/api/layers/MultiHeadAttention/",
    "rotary": "/api/layers/RotaryEmbedding/",
    "mask": "/masks/",
    "FID": "/api/metrics/FrechetDistance/",
    "beam": "/api/decoding/beam_search/",
    "squeeze-and-excitation": "/api/layers/SqueezeExcitation/",
    "relative_bucket": "/api/ops/relative_bucket/",
}
SCRIPT = pathlib.Path(__file__).with_name("check_site.js")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site, the page that opens all others in a frame, and takes that page's report."""

    def __init__(self, *args, paths, reports, missing, **kwargs):
        self.paths, self.reports, self.missing = paths, reports, missing
        super().__init__(*args, **kwargs)

    def do_GET(self):
        if self.path != "/check":
            return super().do_GET()
        call = f"check({json.dumps(self.paths)}, {json.dumps(WIDTHS)}, {json.dumps(SEARCHES)})"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        return self.wfile.write(
            f"<link rel=icon href=data:,><body><script>{SCRIPT.read_text()}\n{call}</script>".encode()
        )

    def do_POST(self):
        self.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def send_error(self, *args, **kwargs):
        self.missing.add(f"nothing is at {self.path}, asked for by {self.headers['Referer']}")
        super().send_error(*args, **kwargs)

    def log_message(self, *args):
        pass


def check(site, browser, part=""):
    """Problems of the pages whose path contains `part`, as messages, and the number of pages."""
    paths = [f"/{path.relative_to(site).parent}/" for path in sorted(site.rglob("index.html"))]
    paths = [path for path in paths if part in path]
    reports, missing = queue.Queue(), set()
    handler = functools.partial(Handler, directory=site, paths=paths, reports=reports, missing=missing)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        address = f"http://127.0.0.1:{server.server_port}/check"
        # The debugging port keeps the browser open until it is ended here.
        process = subprocess.Popen(
            [browser, *options, "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return [*reports.get(timeout=SECONDS), *sorted(missing)], len(paths)
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


def main(site, part=""):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("pages not checked: no chromium or google-chrome")
        return
    problems, count = check(pathlib.Path(site).resolve(), browser, part)
    print(*problems, sep="\n")
    print(f"{count} pages at {WIDTHS} pixels: {len(problems)} problems")
    sys.exit(bool(problems) or not count)


if __name__ == "__main__":
    main(*sys.argv[1:])
