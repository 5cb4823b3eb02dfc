"""The pages that a browser shows before and after a sign-in. They have no scripts and load nothing.

Text from a server is escaped, cut, stripped of control characters, and isolated so that its writing direction does not
affect the text around it. A page names a server by the host of its URL, which the user configured. The name that the
server gives itself (RFC 9728 2, `resource_name`) comes second, in quotation marks: any server may call itself GitHub.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from urllib.parse import urlsplit

from bridge import PROGRAM
from bridge.protocol.sanitize import quoted, shown

_LONGEST_NAME = 300
_LONGEST_OWN_NAME = 60
_LONGEST_TEXT = 1200

# Every pair of text and background has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3).
_STYLE = """
:root { color-scheme: light dark; --ground: #f3f4f1; --card: #ffffff; --edge: #e0e3dc; --text: #1d2320;
  --soft: #59635d; --mark: #2c6e4f; --wash: #e4efe8; }
.wrong { --mark: #9a4a1c; --wash: #f8e9df; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #141715; --card: #1c201e; --edge: #2e3531; --text: #e9edea; --soft: #a3aea8;
    --mark: #8fd0ae; --wash: #21362b; }
  .wrong { --mark: #f0b48c; --wash: #3a281d; }
}
* { box-sizing: border-box; margin: 0; }
body { min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--ground); color: var(--text); -webkit-text-size-adjust: 100%;
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { width: 100%; max-width: 34rem; padding: clamp(1.75rem, 6vw, 3rem); border: 1px solid var(--edge);
  border-radius: 1.25rem; background: var(--card); box-shadow: 0 1px 2px #0000000a, 0 12px 40px #0000000f; }
svg { display: block; width: 3rem; height: 3rem; margin-bottom: 1.5rem; padding: .75rem; border-radius: 50%;
  background: var(--wash); fill: none; stroke: var(--mark); stroke-width: 2.25; stroke-linecap: round;
  stroke-linejoin: round; }
h1 { font-size: clamp(1.3rem, 4.5vw, 1.6rem); line-height: 1.3; font-weight: 400; letter-spacing: -.01em; }
h1, p { overflow-wrap: anywhere; }
b { font-weight: 650; }
p { margin-top: .9rem; color: var(--soft); }
p.what { color: var(--text); }
a { display: inline-block; padding: .55rem 1rem; border: 1px solid var(--mark); border-radius: .6rem;
  color: var(--mark); background: var(--wash); }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--edge); color: var(--soft);
  font-size: .875rem; }
"""
_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E{}%3C/svg%3E"
_TICK = "M5 12.5l4.5 4.5L19 7.5"
_STROKE = "M12 4v10m0 5.4v.2"

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The pages may use only their own style sheet and icon (CSP Level 3)."""

_REFUSALS = {
    400: "This request is not the answer to the current sign-in.",
    403: "Only a request from a browser tab can complete a sign-in.",
    404: "There is no page at this address.",
    405: "This address accepts only GET requests.",
    409: "This sign-in already has its answer.",
    410: "This address works only once, and has already been used.",
    421: "This request is meant for another host.",
    431: "This request is too long.",
    500: "The sign-in failed. The program that started it shows the reason.",
    503: "The sign-in that this address belongs to has ended.",
}


def warned_page(server: str, warnings: Sequence[str], url: str, *, called: str = "") -> bytes:
    """Return the page with the warnings that the tab shows before the sign-in page, in UTF-8.

    `url` is the sign-in page, and has passed `browser.check_openable`. `server` and `called` are as in
    `signed_in_page`.
    """
    told = "\n".join(f'<p class="what"><bdi>{_text(text)}</bdi></p>' for text in warnings)
    where = urlsplit(url).hostname or url
    return _page(
        f"Before you sign in to {shown(server, _LONGEST_NAME)}",
        f"Before you sign in to {_server(server, called)}:",
        f"{told}\n<p>If you did not expect this, close this tab.</p>\n"
        f'<p><a id="go-on" href="{html.escape(url)}">Continue to <bdi>{_text(where)}</bdi></a></p>',
        wrong=True,
    )


def signed_in_page(server: str, back: str, *, called: str = "") -> bytes:
    """Return the page for a sign-in that succeeded, in UTF-8.

    `server` is the host of its URL, `called` what the server calls itself ("" if it does not say). `back` is where the
    user goes next: the name of the host or "the terminal", "" if it is not known.
    """
    on = f" and go back to {_named(back)}" if back else ""
    return _page(
        f"Signed in to {shown(server, _LONGEST_NAME)}",
        f"Signed in to {_server(server, called)}.",
        f"<p>You can close this tab{on}.</p>",
    )


def failed_page(server: str, what: str, to_do: str, again: str = "", *, called: str = "") -> bytes:
    """Return the page for a sign-in that failed, in UTF-8.

    `what` went wrong, what `to_do` about it, and how to try `again` are sentences; the last two may be "".
    """
    told = "".join(f"\n<p><bdi>{_text(text)}</bdi></p>" for text in (to_do, again) if text.strip())
    return _page(
        f"Not signed in to {shown(server, _LONGEST_NAME)}",
        f"Not signed in to {_server(server, called)}.",
        f'<p class="what"><bdi>{_text(what)}</bdi></p>{told}',
        wrong=True,
    )


def refused_page(status: int) -> bytes:
    """Return the page for an HTTP error `status`, for a request that does not belong to the sign-in, in UTF-8."""
    what = _REFUSALS.get(status, _REFUSALS[400])
    return _page("Not a sign-in", what, "<p>If you are signing in, go back to the tab where you began.</p>", wrong=True)


def _page(title: str, heading: str, rest: str, *, wrong: bool = False) -> bytes:
    path = _STROKE if wrong else _TICK
    icon = _ICON.format(
        f"%3Cpath d='{path}' fill='none' stroke='%23{'b4602c' if wrong else '3d8b67'}' stroke-width='3'/%3E"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f'<title>{html.escape(title)}</title>\n<link rel="icon" href="{icon}">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body{' class=' + chr(34) + 'wrong' + chr(34) if wrong else ''}>\n<main>\n"
        f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"/></svg>\n'
        f"<h1>{heading}</h1>\n{rest}\n<footer>{PROGRAM}</footer>\n</main>\n</body>\n</html>\n"
    ).encode("utf-8", "replace")


def _server(server: str, called: str) -> str:
    own_word = quoted(called, _LONGEST_OWN_NAME)
    return f"{_named(server)}, which calls itself <bdi>{html.escape(own_word)}</bdi>" if own_word else _named(server)


def _named(name: str) -> str:
    return f"<b><bdi>{html.escape(shown(name, _LONGEST_NAME))}</bdi></b>"


def _text(text: str) -> str:
    return html.escape(shown(text, _LONGEST_TEXT))
