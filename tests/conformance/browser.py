"""Stands in for the browser of a person who is logged in: follows the authorization URL to the callback.

Where the bridge's own page comes first, with something to read, its link is followed.

`BROWSER` names this file, which Python's `webbrowser` and `xdg-open` both honour.
"""

from __future__ import annotations

import html
import re
import sys
import urllib.error
import urllib.request

PATIENCE = 120.0
"""Seconds for a page: more than the host waits, as a browser does."""


def visit(url: str) -> int:
    """Get `url` and all it redirects to; return an exit code. A page of refusal is a page all the same."""
    if not url.startswith(("http://localhost:", "http://127.0.0.1:", "http://[::1]:")):
        sys.stderr.write(f"browser: {url} is not on this machine\n")
        return 1
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as page:
            text = page.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as page:
        page.close()
    except OSError as error:
        sys.stderr.write(f"browser: {url}: {error}\n")
        return 1
    else:
        if goes_on := re.search(r'<a id="go-on" href="([^"]+)"', text):
            return visit(html.unescape(goes_on[1]))
    return 0


def main() -> int:
    """Be the browser; returns the exit code."""
    return visit(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
