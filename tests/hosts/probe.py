"""A local server on stdio that shows what a host does: which message is first, how long it waits, when it lists.

`python probe.py KIND FILE`. It appends one JSON object a line to FILE: `{"at": seconds, "what": ...}`, with `at` the
system's clock. What it does is its KIND:

| kind | it |
|---|---|
| `silent` | answers nothing |
| `slow-N` | answers the first message after N seconds, and lists `echo` |
| `silent-list` | answers `initialize`, but not `tools/list` |
| `silent-call` | lists `sign_in`, and does not answer its call |
| `refusing` | answers the first message with an error, in the words of `SENTENCE` |
| `exiting` | writes `SENTENCE` to stderr and exits with 1 |
| `changing` | lists `sign_in`; its call is answered right after word that the tools have changed to `echo` |
| `changing-modern` | `changing` in 2026-07-28, which tells only those who listen (`subscriptions/listen`) |
| `changing-waits` | `changing`, but the call is answered when the host has listed again, 2 s later at most |
| `paged` | has tools, prompts, resources and templates on `PAGES` pages each; the tool `echo` is on the first |
| `waiting-N` | `echo` is answered with `LATE` after N seconds |
| `progressing-N` | the same, with progress each second, where the host asked for it |
| `asking` | `sign_in` asks the host to show a URL (elicitation), and answers with what came of it |

It speaks revisions up to 2025-11-25 and refuses `server/discover` as they do. `refusing` refuses it in its own words;
`changing-modern` speaks 2026-07-28.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

SENTENCE = "PROBE-SENTENCE: there is no server at https://nope.invalid/mcp. Correct the URL and restart this program."
LISTING_PATIENCE = 2.0
PAGES = 3
LATE = "After all this time: hello"
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""The member that holds a list, by the method that asks for it."""
DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "BROWSER")


class Probe:
    """One run."""

    def __init__(self, kind: str, record: Path) -> None:
        self.kind = kind
        self.record = record
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.changed = False
        self.is_modern = kind == "changing-modern"
        self.listens: list[object] = []
        """The ids of the subscriptions."""

    def note(self, what: str, **details: object) -> None:
        """Append one line, in one write: several copies may share the file."""
        line = json.dumps({"at": time.time(), "pid": os.getpid(), "what": what} | details).encode() + b"\n"
        descriptor = os.open(self.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def run(self) -> int:
        """Be the server until the host closes stdin; returns the exit code."""
        self.note(
            "started",
            variables=sorted(os.environ),
            desktop={name: os.environ[name] for name in DESKTOP if name in os.environ},
            parent=os.getppid(),
        )
        if self.kind == "exiting":
            sys.stderr.write(SENTENCE + "\n")
            return 1
        threading.Thread(target=self._read, daemon=True).start()
        while (message := self.messages.get()) is not None:
            self._answer(message)
        return 0

    def _read(self) -> None:
        """Hand every line on; whatever is no JSON, such as a frame with a header, is noted as it is."""
        for line in sys.stdin.buffer:
            try:
                message = json.loads(line)
            except ValueError:
                self.note("bytes", text=line.decode("utf-8", "backslashreplace"))
                continue
            self.note("message", message=message)
            self.messages.put(message)
        self.note("closed")
        self.messages.put(None)

    def _answer(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if self.kind.startswith("slow-") and not self.changed:
            time.sleep(float(self.kind.removeprefix("slow-")))
            self.changed = True
        if self.kind == "silent" or method is None or number is None:
            return
        if method in {"initialize", "server/discover"} and self.kind == "refusing":
            self._send(id=number, error={"code": -32000, "message": SENTENCE})
        elif method == "initialize":
            capabilities = {"tools": {"listChanged": True}}
            if self.kind == "paged":
                capabilities |= {"prompts": {}, "resources": {}}
            version = message["params"]["protocolVersion"]
            server = {"name": "probe", "version": "1"}
            result = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": server}
            self._send(id=number, result=result)
        elif method == "server/discover" and self.is_modern:
            about = {"io.modelcontextprotocol/serverInfo": {"name": "probe", "version": "1"}}
            capabilities = {"tools": {"listChanged": True}}
            result = {"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "_meta": about}
            self._send(id=number, result=result)
        elif method == "subscriptions/listen" and self.is_modern:
            self.listens.append(number)
            self._tell_listeners(
                "notifications/subscriptions/acknowledged", notifications=message["params"]["notifications"]
            )
        elif method == "tools/list" or (method in LISTS and self.kind == "paged"):
            self._list(message)
        elif method == "tools/call":
            self._call(message)
        elif method == "ping":
            self._send(id=number, result={})
        else:
            self._send(id=number, error={"code": -32601, "message": "Method not found"})

    def _list(self, message: dict[str, Any]) -> None:
        if self.kind == "paged":
            page = _page(LISTS[message["method"]], (message.get("params") or {}).get("cursor"))
            self._send(id=message["id"], result=page)
        elif self.kind != "silent-list":
            self._send(id=message["id"], result={"tools": [self._tool()]})

    def _tool(self) -> dict[str, object]:
        if self.changed or self.kind.startswith(("waiting-", "progressing-")):
            return _tool("echo", "Says something", {"said": {"type": "string"}})
        return _tool("sign_in", "Signs in to the server", {})

    def _call(self, message: dict[str, Any]) -> None:
        if self.kind.startswith(("waiting-", "progressing-")):
            self._say_late(message)
        elif message["params"]["name"] == "echo":
            self._say(message["id"], "hello")
        elif self.kind == "asking":
            self._say(message["id"], self._ask_for_url())
        elif self.kind != "silent-call":
            self.changed = True
            if self.is_modern:
                self._tell_listeners("notifications/tools/list_changed")
            else:
                self._send(method="notifications/tools/list_changed")
            if self.kind == "changing-waits":
                self._until_listed()
            self._say(message["id"], "Signed in. Use the tool echo now.")

    def _say_late(self, message: dict[str, Any]) -> None:
        kind, _, seconds = self.kind.partition("-")
        token = (message["params"].get("_meta") or {}).get("progressToken")
        for second in range(int(seconds)):
            if kind == "progressing" and token is not None:
                self._send(method="notifications/progress", params={"progressToken": token, "progress": second})
            time.sleep(1)
        self._say(message["id"], LATE)

    def _until_listed(self) -> None:
        end = time.monotonic() + LISTING_PATIENCE
        while (left := end - time.monotonic()) > 0:
            try:
                message = self.messages.get(timeout=left)
            except queue.Empty:
                return
            if message is None:
                self.messages.put(None)
                return
            self._answer(message)
            if message.get("method") == "tools/list":
                return

    def _ask_for_url(self) -> str:
        url = "https://example.com/consent"
        params = {"mode": "url", "message": "Sign in", "url": url, "elicitationId": "one"}
        self._send(id="ask", method="elicitation/create", params=params)
        while (message := self.messages.get()) is not None:
            if message.get("id") == "ask":
                return f"The answer: {json.dumps(message)}"
            self._answer(message)
        self.messages.put(None)
        return "none"

    def _tell_listeners(self, method: str, **params: object) -> None:
        for number in self.listens:
            labelled = params | {"_meta": {"io.modelcontextprotocol/subscriptionId": number}}
            self._send(method=method, params=labelled)

    def _say(self, number: object, text: str) -> None:
        self._send(id=number, result={"content": [{"type": "text", "text": text}]})

    def _send(self, **message: object) -> None:
        line: dict[str, object] = {"jsonrpc": "2.0"} | message
        if self.is_modern and isinstance(result := line.get("result"), dict):
            line["result"] = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} | result
        self.note("sent", message=line)
        sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
        sys.stdout.buffer.flush()


def _page(member: str, cursor: str | None) -> dict[str, object]:
    """A page of a list; its cursor is its number."""
    page = int(cursor or 0)
    name = f"{member}-{page}"
    items: dict[str, list[dict[str, object]]] = {
        "tools": [_tool("echo" if page == 0 else name, "Says something", {"said": {"type": "string"}})],
        "prompts": [{"name": name}],
        "resources": [{"name": name, "uri": f"probe://{name}"}],
        "resourceTemplates": [{"name": name, "uriTemplate": f"probe://{name}/{{id}}"}],
    }
    return {member: items[member]} | ({"nextCursor": str(page + 1)} if page + 1 < PAGES else {})


def _tool(name: str, description: str, properties: dict[str, object]) -> dict[str, object]:
    # smolagents does not take a schema without `properties`.
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}}


if __name__ == "__main__":
    sys.exit(Probe(sys.argv[1], Path(sys.argv[2])).run())
