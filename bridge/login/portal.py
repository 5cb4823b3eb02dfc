"""Opening a web page through the desktop portal: a service on the user's message bus that starts the browser.

The caller needs no display. So it works where only the session bus is found, and inside sandboxes. The call is
`OpenURI` of `org.freedesktop.portal.OpenURI`. The outcome comes later, as the signal `Response` of the request object
that the call creates (XDG Desktop Portal, "OpenURI" and "Request").
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

NAME = "the desktop portal"

_SERVICE = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_REPLY_SECONDS = 5.0
_DIALOG_SECONDS = 300.0
_OUTCOMES = {0: "", 1: "was cancelled by the user", 2: "could not open the link"}


def ask_portal(url: str, address: str, seconds: float, tell: Callable[[str], None], *, may_start: bool) -> None:
    """Ask the portal on the bus at `address` to open `url`; `tell` gets "" if it does, else a predicate.

    Blocks. A portal that accepts the call and sends no outcome within `seconds` counts as one that opens the page: it
    may be asking the user which browser to use. The connection stays open meanwhile, because the portal cancels the
    request of a client that disconnects. `may_start`: whether the bus may start a portal that is not running. Raises
    nothing.
    """
    try:
        from jeepney.io.blocking import open_dbus_connection
    except ImportError:
        tell("needs the package jeepney, which is not installed")
        return
    try:
        with open_dbus_connection(address) as bus:
            _ask(bus, url, seconds, tell, may_start=may_start)
    except TimeoutError:
        tell("did not answer")
    except Exception as problem:  # Whatever the bus or its library raises, the sign-in goes on without it.
        tell(f"could not be called ({type(problem).__name__})")


def _ask(bus: Any, url: str, seconds: float, tell: Callable[[str], None], *, may_start: bool) -> None:
    from jeepney import DBusAddress, HeaderFields, MatchRule, MessageFlag, MessageType, new_method_call
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import Proxy

    token = f"mcp_remote_bridge_{secrets.token_hex(8)}"
    request = f"{_PATH}/request/{bus.unique_name.removeprefix(':').replace('.', '_')}/{token}"
    rule = MatchRule(type="signal", interface="org.freedesktop.portal.Request", member="Response", path=request)
    Proxy(message_bus, bus, timeout=_REPLY_SECONDS).AddMatch(rule)
    portal = DBusAddress(_PATH, bus_name=_SERVICE, interface="org.freedesktop.portal.OpenURI")
    call = new_method_call(portal, "OpenURI", "ssa{sv}", ("", url, {"handle_token": ("s", token)}))
    if not may_start:
        call.header.flags |= MessageFlag.no_auto_start
    with bus.filter(rule) as responses:
        reply = bus.send_and_get_reply(call, timeout=_REPLY_SECONDS)
        if reply.header.message_type is not MessageType.method_return:
            tell(_refusal(str(reply.header.fields.get(HeaderFields.error_name, ""))))
            return
        try:
            tell(_outcome(bus.recv_until_filtered(responses, timeout=seconds)))
        except TimeoutError:
            tell("")
            bus.recv_until_filtered(responses, timeout=_DIALOG_SECONDS)


def _outcome(response: Any) -> str:
    return _OUTCOMES.get(response.body[0], "failed")


def _refusal(error: str) -> str:
    if error.endswith((".ServiceUnknown", ".NameHasNoOwner")):
        return "is not running"
    return f"refused ({error.rpartition('.')[2]})"
