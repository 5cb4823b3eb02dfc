"""Stands in for the browser of a person who is logged in and consents: follows the URL to the callback.

Where a page of the bridge stands before it, with something to know, the person goes on by its link.

`BROWSER` names this file. It appends what it does to the file that `LOGIN_BROWSER_FILE` names, one JSON
object a line: `{"opened": URL, "environ": ..., "parent": ...}` at once, `{"warned": URL, "text": ...}` for a page that
has to be read first, `{"url": ..., "status": ..., "text": ...}` for the page it ends at. `LOGIN_BROWSER_DO` tells what
kind of browser it is: `follow` (the default), `record` (opens, and nothing more happens: somebody looks at the page),
`fail` (cannot be started). `LOGIN_BROWSER_CA` names a PEM file of certificates to trust.
"""

from __future__ import annotations

import contextlib
import html
import http.client
import json
import os
import re
import sys
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

PATIENCE = 120.0
"""Seconds for an answer: more than any test waits, as a browser does."""
MOST_REDIRECTS = 10


def note(record: dict[str, object]) -> None:
    """Append one line, in one write: several browsers may share the file."""
    line = json.dumps(record).encode() + b"\n"
    descriptor = os.open(os.environ["LOGIN_BROWSER_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def visit(url: str, note: Callable[[dict[str, object]], object] = note) -> None:
    """Get `url` and all it redirects to, and note the last page. A page of refusal is a page all the same."""
    try:
        for _ in range(MOST_REDIRECTS):
            status, location, text = fetch(url)
            if go_on := re.search(r'<a id="go-on" href="([^"]+)"', text):
                note({"warned": url, "text": text})
                url = html.unescape(go_on[1])
                continue
            if status not in {301, 302, 303, 307, 308} or not location:
                break
            url = urljoin(url, location)
        note({"url": url, "status": status, "text": text})
    except (OSError, http.client.HTTPException) as error:
        note({"url": url, "status": 0, "text": f"{error}"})


def fetch(url: str) -> tuple[int, str, str]:
    """The status, the location and the text of one answer."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE)
    if parts.scheme == "https":
        import ssl  # It takes longer than all else, and most of the tests do without.

        trusted = ssl.create_default_context(cafile=os.environ.get("LOGIN_BROWSER_CA"))
        connection = http.client.HTTPSConnection(host, parts.port, timeout=PATIENCE, context=trusted)
    headers = {"User-Agent": "Mozilla/5.0 (login_browser)", "Accept": "text/html,*/*;q=0.8", "Connection": "close"}
    with contextlib.closing(connection):
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", ""), answer.read().decode("utf-8", "replace")


def main() -> int:
    """Be the browser; returns the exit code."""
    kind = os.environ.get("LOGIN_BROWSER_DO", "follow")
    if kind == "fail":
        note({"failed": sys.argv[1]})
        return 1
    # A browser is talkative, and none of it may reach the host.
    sys.stdout.write("Opening in existing browser session.\n")
    sys.stderr.write("[1:1:ERROR:gpu_init] something about a GPU\n")
    note(
        {
            "opened": sys.argv[1],
            "environ": dict(os.environ),
            "parent": int(os.environ.get("BRIDGE_TEST_PARENT") or os.getppid()),
        }
    )
    if kind == "follow":
        visit(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
