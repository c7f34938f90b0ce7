#!/usr/bin/env python3
"""Looks at the agent's status page with headless Chromium: look_at_page.py URL FOLDER

On a phone and on a desk: the page must not scroll sideways, everything that it
has to tell must be visible, and nothing may be loaded from anywhere. Screenshots go to FOLDER.
What the browser sees is asked of a script that this tool adds to a copy of the page: the page
itself has none, and the real one forbids them. Exits 77 without Chromium.
"""
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request

SCREENS = {"phone": (390, 1700), "desk": (1280, 1700)}

PROBE = """<script>
addEventListener('load', () => {
  const shown = (e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.right <= innerWidth + 1;
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = {
    width: innerWidth,
    scrollWidth: document.documentElement.scrollWidth,
    smallestText: Math.min(...all('p,td,th,li,small,.plot>span').filter(shown).map(
        (e) => parseFloat(getComputedStyle(e).fontSize))),
    bars: all('.bars i').filter(shown).length,
    strips: all('.strip').filter(shown).length,
    rows: all('tbody tr').filter(shown).length,
    cells: all('td').filter((e) => e.textContent !== '' && !shown(e)).length,
    tiles: all('.tiles > div').filter(shown).length,
    troubles: all('ul.bad li').filter(shown).length,
    loaded: performance.getEntriesByType('resource').length,
  };
  parent.document.documentElement.setAttribute('data-seen', JSON.stringify(seen));
});
</script>"""


def serve(pages: dict[str, str]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def in_frame(size) -> str:
    """Chromium's windows are at least 500 pixels wide; a frame can be as narrow as a phone."""
    return (f"<!doctype html><body style='margin:0'><iframe src='/page' style='border:0;"
            f"width:{size[0]}px;height:{size[1]}px'></iframe>")


def chromium(program: str, size, *arguments: str) -> str:
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=2000",
             f"--window-size={size[0]},{size[1]}", *arguments],
            capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def check(name: str, seen: dict) -> list[str]:
    wrong = []
    if seen["scrollWidth"] > seen["width"]:
        wrong.append(f"scrolls sideways: {seen['scrollWidth']} of {seen['width']} pixels")
    if seen["smallestText"] < 11:
        wrong.append(f"text of {seen['smallestText']} pixels")
    if seen["bars"] != 60:
        wrong.append(f"{seen['bars']} bars of the plot are visible, not 60")
    for what in ("strips", "rows", "tiles", "troubles"):
        if seen[what] == 0:
            wrong.append(f"no {what} are visible")
    if seen["cells"] != 0:
        wrong.append(f"{seen['cells']} cells have text that is not visible")
    if seen["loaded"] != 0:
        wrong.append(f"{seen['loaded']} files were loaded")
    return [f"{name}: {text}" for text in wrong]


def main() -> int:
    url, folder = sys.argv[1:]
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("SKIPPED: no chromium; apt-get install chromium")
        return 77
    os.makedirs(folder, exist_ok=True)
    with urllib.request.urlopen(url, timeout=10) as answer:
        page = answer.read().decode()
        policy = answer.headers["Content-Security-Policy"]
    wrong = [] if policy.startswith("default-src 'none'") else [f"policy: {policy}"]
    page = re.sub(r'<meta http-equiv="refresh"[^>]*>', "", page)
    probed = page.replace("</body>", PROBE + "</body>")
    for name, size in SCREENS.items():
        picture = os.path.join(folder, f"status-page-{name}.png")
        server = serve({"/": in_frame(size), "/page": probed})
        try:
            text = chromium(program, size, "--dump-dom", f"--screenshot={picture}",
                            f"http://127.0.0.1:{server.server_port}/")
        finally:
            server.shutdown()
        found = re.search(r'data-seen="([^"]*)"', text)
        if found is None:
            print(f"{name}: the browser did not load the page:\n{text[:2000]}")
            return 1
        seen = json.loads(html.unescape(found.group(1)))
        print(name, seen)
        wrong += check(name, seen)
    # The page itself, with its policy.
    if "<h2>Freshness</h2>" not in chromium(program, SCREENS["desk"], "--dump-dom", url):
        wrong.append("the page itself is not shown")
    for text in wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
