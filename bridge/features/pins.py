"""`--pin-tools`: what a tool says of itself is kept when it is first seen, and later changes are held back.

| the server lists | the host gets |
|---|---|
| a tool that was never seen | the tool, which is pinned now; the log names it |
| a pinned tool, unchanged | the tool |
| a pinned tool that says something else | what is pinned, until the user accepts the change |
| the same, where what is pinned was too long to be kept | nothing: the tool is left out, and its calls are refused |
| a tool without a name, or with one that is too long | nothing |
| anything, where the pins cannot be read | an error |

All of a definition counts but its `_meta`, which may differ from answer to answer. The order of members does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from bridge.errors import BridgeError, ErrorKind
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.protocol import mcp, messages
from bridge.protocol.jsonrpc import Request
from bridge.protocol.messages import decoded
from bridge.protocol.sanitize import shown
from bridge.session.faults import Fault

LONGEST = 64 * 1024
"""Bytes of the longest definition that is kept as it is; of a longer one the digest."""

MOST_TOOLS = 2000

LONGEST_KEY = 160
"""Bytes of the longest name, as JSON, that is pinned. Hosts take no name that is half as long."""

_DIGEST = "sha256:"
_LONGEST_NAME = 120

_decode_tool = partial(msgspec.json.decode, type=dict[str, Any])


class Pins(msgspec.Struct, frozen=True):
    """The tools of one server by name: what is `pinned`, and what was last seen and `changed` of it.

    Each value is a definition as `canonical` writes it, or its digest.
    """

    pinned: dict[str, str] = {}
    changed: dict[str, str] = {}


def checked(pins: Pins) -> Pins | None:
    """The pins with each definition on one line, as hosts get it; None where one is no JSON object."""
    kept = Pins({}, {})
    for texts, of in ((pins.pinned, kept.pinned), (pins.changed, kept.changed)):
        for name, text in texts.items():
            tool = None if is_digest(text) else decoded(_decode_tool, Raw(text.encode()))
            if tool is None and not is_digest(text):
                return None
            of[name] = text if tool is None else msgspec.json.encode(tool, order="sorted").decode()
    return kept


class PinBook(Protocol):
    """Where the pins of one server are, for all bridges on this machine. Both raise `BridgeError`."""

    def read(self) -> Pins:
        """The pins as they are now."""

    def change(self, change: Callable[[Pins], Pins]) -> Pins:
        """Replace the pins by what `change` makes of them, with no other process between, and return that."""


def canonical(item: Raw) -> tuple[str, str] | None:
    """The name of a definition, and the definition in one form, or its digest; None where it has no usable name."""
    tool = decoded(_decode_tool, item)
    name = tool.get("name") if tool is not None else None
    if tool is None or not isinstance(name, str) or len(msgspec.json.encode(name)) > LONGEST_KEY:
        return None
    tool.pop("_meta", None)
    text = msgspec.json.encode(tool, order="sorted")
    return name, text.decode() if len(text) <= LONGEST else digest_of(text)


def digest_of(text: bytes) -> str:
    """What is kept of a definition that is too long."""
    return _DIGEST + hashlib.sha256(text).hexdigest()


def is_digest(text: str) -> bool:
    """Whether only the digest of a definition was kept."""
    return text.startswith(_DIGEST)


def seen(pins: Pins, tools: dict[str, str]) -> Pins:
    """The pins after these tools were listed: new ones are pinned, and differences noted."""
    new = {name: text for name, text in tools.items() if name not in pins.pinned}
    room = MOST_TOOLS - len(pins.pinned)
    pinned = pins.pinned | dict(list(new.items())[: max(room, 0)])
    changed = {name: text for name, text in pins.changed.items() if name not in tools}
    for name, text in tools.items():
        if name in pinned and not _is_same(text, pinned[name]):
            before = pins.changed.get(name, "")
            changed[name] = before if _is_same(text, before) else text
    return Pins(pinned, changed)


def _is_same(text: str, pinned: str) -> bool:
    return text == pinned or (is_digest(pinned) and digest_of(text.encode()) == pinned)


def accepted(pins: Pins, shown_changes: dict[str, str]) -> Pins:
    """The pins after the user accepted changes that were shown; what has changed once more since stays held back."""
    taken = {name: text for name, text in shown_changes.items() if pins.changed.get(name) == text}
    left = {name: text for name, text in pins.changed.items() if name not in taken}
    return Pins(pins.pinned | taken, left)


class PinnedTools(FeaturePart):
    """Shows tools as they are pinned in `book`. `command(action)` is what the user types to show or accept changes."""

    def __init__(self, context: FeatureContext, book: PinBook, command: Callable[[str], str]) -> None:
        self._context = context
        self._book = book
        self._command = command

    def needs_list(self, request: Request) -> str:
        """See `FeaturePart`: a tool that is not pinned must be seen before it is called."""
        if request.method != mcp.TOOLS_CALL:
            return ""
        try:
            return "" if messages.named(request.params) in self._book.read().pinned else mcp.TOOLS_LIST
        except BridgeError:
            return ""

    def request(self, request: Request) -> Request | Fault:
        """See `FeaturePart`."""
        if request.method != mcp.TOOLS_CALL:
            return request
        name = messages.named(request.params)
        try:
            pins = self._book.read()
        except BridgeError as problem:
            return _unusable(problem)
        if name not in pins.pinned:
            return Fault(
                ErrorKind.HIDDEN,
                f"The tool {shown(name, _LONGEST_NAME)} is not in the server's list, and --pin-tools is set.",
            )
        if name in pins.changed and is_digest(pins.pinned[name]):
            return Fault(ErrorKind.HIDDEN, *self._changed(name))
        return request

    def listed(self, method: str, items: list[Raw]) -> list[Raw] | Fault:
        """See `FeaturePart`."""
        if method != mcp.TOOLS_LIST:
            return items
        found: list[tuple[Raw, tuple[str, str] | None]] = []
        tools: dict[str, str] = {}
        for item in items:
            known = canonical(item)
            if known is not None and known[0] in tools:
                said = f"the server lists the tool {shown(known[0], _LONGEST_NAME)} twice; only the first is shown"
                self._context.report_once("warning", known[0], said)
                continue
            found.append((item, known))
            if known is not None:
                tools[known[0]] = known[1]
        try:
            before = pins = self._book.read()
            if seen(pins, tools) != pins:
                pins = self._book.change(lambda now: seen(now, tools))
        except BridgeError as problem:
            return _unusable(problem)
        self._tell_new(before, pins)
        kept = []
        for item, known in found:
            if known is None or known[0] not in pins.pinned:
                continue
            name, text = known
            pinned = pins.pinned[name]
            if _is_same(text, pinned):
                kept.append(item)
                continue
            message, hint = self._changed(name)
            self._context.report_once("warning", name, f"{message} {hint}")
            if not is_digest(pinned):
                kept.append(Raw(pinned.encode()))
        is_unchanged = len(kept) == len(items) and all(one is other for one, other in zip(kept, items, strict=True))
        return items if is_unchanged else kept

    def _tell_new(self, before: Pins, pins: Pins) -> None:
        new = [name for name in pins.pinned if name not in before.pinned]
        if new and before.pinned:
            names = shown(", ".join(new[:20]), 400)
            self._context.report_once(
                "warning", "new tools", f"the server has new tools, which are pinned now: {names}"
            )
        elif new:
            self._context.report_once("info", "new tools", f"{len(new)} tools of this server were pinned")

    def _changed(self, name: str) -> tuple[str, str]:
        return (
            f"The tool {shown(name, _LONGEST_NAME)} says something else than when it was pinned; that is held back.",
            f"To see the difference, run: {self._command('show')} ; to accept it: {self._command('accept')}",
        )


def _unusable(problem: BridgeError) -> Fault:
    return Fault(ErrorKind.HIDDEN, f"The pinned tools cannot be used. {problem.message}", problem.hint)
