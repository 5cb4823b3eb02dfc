"""The act with a sign-in: the link, the consent, a token that is renewed, and a start without a tab."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

from scripts.demo_process import DemoError, Host, Message, Process
from scripts.demo_stage import Stage, call, expect, tally, text_of
from tests.support.oauth.browser_program import visit

LIFETIME = 3
"""Seconds that an access token of the demo's server lives."""

# Nothing of the person's: neither the browser nor the keyring.
_OPTIONS = ("--no-browser", "--token-store", "file")

_OFFER = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "demo-host", "version": "1.0.0"},
}


def signed_in(stage: Stage, lifetime: int = LIFETIME) -> None:
    """Play a sign-in to a protected server, the end of its token, and a second start of the bridge."""
    server, url = stage.server("--protected", str(lifetime))
    bridge, host = stage.host(url, *_OPTIONS)
    say = stage.screen.step

    say("The server answers 401. The host gets an answer all the same, and one tool: sign_in.")
    host.result(host.request("initialize", _OFFER))
    host.notify("notifications/initialized")
    tools = answer(host, host.request("tools/list")).get("tools", [])
    expect([tool["name"] for tool in tools] == ["sign_in"], "sign_in has to be the only tool", tools)

    say("The model calls sign_in, and the user gets the link.")
    link = link_in(text_of(answer(host, host.request("tools/call", call("sign_in", {})))))

    say("A stand-in for the user's browser opens it, consents, and returns to the bridge.")
    page = browse(link)
    expect("Signed in" in page, "the last page has to say that the sign-in succeeded", page[:200])

    say("The server's own tools take the place of sign_in.")
    while host.receive().get("method") != "notifications/tools/list_changed":
        pass
    tools = answer(host, host.request("tools/list")).get("tools", [])
    expect({tool["name"] for tool in tools} == {"add", "count", "book"}, "three tools have to be there", tools)
    add(host)

    say(f"The access token lives {lifetime} seconds. After that the bridge renews it, and nobody is asked.")
    time.sleep(lifetime)
    add(host)
    end(bridge)

    say("The host starts the bridge again: no link, no tab.")
    bridge, host = stage.host(url, *_OPTIONS)
    about = answer(host, host.request("initialize", _OFFER))
    expect(about.get("serverInfo", {}).get("name") == "demo-server", "the server itself has to answer", about)
    host.notify("notifications/initialized")
    add(host)
    end(bridge)

    say("The user signs out.")
    signed_out = stage.command("logout", url, "--token-store", "file")
    print(f"  {signed_out.line()}")
    expect(signed_out.end_input() == 0, "the sign-out has to succeed", signed_out.rest())
    server_code = server.end_input()
    requests = Counter(server.rest())
    expect(server_code == 0, "the server has to end quietly", server_code)
    expect(requests["GET /authorize 302"] == 1, "the user has to be asked once", requests)
    expect(requests["POST /token 200"] > 1, "the token has to be renewed", requests)
    print(f"  one consent, {requests['POST /token 200'] - 1} renewals (the server saw {tally(requests)})")


def answer(host: Host, request_id: int) -> Message:
    """Return the result of a request, whatever notifications come before it."""
    message = host.receive()
    while "method" in message:
        message = host.receive()
    result: Message | None = message.get("result") if message.get("id") == request_id else None
    if result is None:
        raise DemoError(f"expected the result of request {request_id}, got {message}")
    return result


def link_in(text: object) -> str:
    """Return the link in a tool's text."""
    found = re.search(r"https?://\S+/authorize\?\S+", str(text))
    if found is None:
        raise DemoError(f"the tool has to show a link; it said {str(text)[:200]}")
    return found[0]


def browse(link: str) -> str:
    """Open a link as a browser does, and return the page at which it ends."""
    pages: list[dict[str, Any]] = []
    visit(link, pages.append)
    expect(pages[-1].get("status") == 200, "the browser has to end at a page", pages)
    return str(pages[-1].get("text"))


def add(host: Host) -> None:
    """Call a tool of the server's."""
    result = answer(host, host.request("tools/call", call("add", {"a": 2, "b": 40})))
    expect(text_of(result) == "42", "2 + 40 has to be 42", result)


def end(bridge: Process) -> None:
    """End the bridge as a host that goes does."""
    code = bridge.end_input()
    left = bridge.rest()
    expect((code, left) == (0, []), "the bridge has to end quietly", [code, left])
