"""Codex as its desktop app and editor extensions run it: `codex app-server`, a thread, and turns in it.

`python codex_app.py PROMPT COMMAND [ARGUMENT ...]`; the command starts the app server. It prints what such a program
shows: each server's state with its error, and what the model says. The first turn begins when the server's state is
known; where the tool was not called, a second turn follows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import IO, Any

STARTED = ("ready", "failed", "cancelled")


class App:
    """A connection to the app server."""

    def __init__(self, command: list[str]) -> None:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._input: IO[str] = process.stdin
        self._output: IO[str] = process.stdout
        self._sent = 0
        self.servers: dict[str, str] = {}
        """The state of each MCP server."""
        self.called: list[str] = []
        """The tools that were called."""

    def send(self, method: str, params: dict[str, Any] | None = None, *, wants_answer: bool = True) -> None:
        """Send a request, or a notification."""
        message: dict[str, Any] = {"method": method}
        if wants_answer:
            self._sent += 1
            message["id"] = self._sent
        self._write(message | ({} if params is None else {"params": params}))

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its result; exits with 1 where it is an error."""
        self.send(method, params)
        while True:
            message = self.read()
            if message.get("id") == self._sent and "method" not in message:
                if "error" in message:
                    print(f"error: {json.dumps(message['error'])}", flush=True)
                    raise SystemExit(1)
                return dict(message["result"])

    def read(self) -> dict[str, Any]:
        """Take the next message, and show what is in it for the user."""
        line = self._output.readline()
        if not line:
            raise SystemExit("the app server ended")
        message: dict[str, Any] = json.loads(line)
        params = message.get("params") or {}
        method = message.get("method")
        if method == "mcpServer/startupStatus/updated":
            self.servers[params["name"]] = params["status"]
            print(f"{params['name']}: {params['status']} {params.get('error') or ''}", flush=True)
        elif method == "item/completed":
            item = params["item"]
            if item["type"] == "mcpToolCall":
                self.called.append(item["tool"])
            if item["type"] in {"agentMessage", "mcpToolCall"}:
                print(f"{item['type']}: {json.dumps(item)}", flush=True)
        elif "id" in message and method is not None:
            # A question to the user: nothing is allowed by itself but a tool's call.
            print(f"asks: {json.dumps(message)}", flush=True)
            self._write({"id": message["id"], "result": {"action": "accept", "content": {}}})
        return message

    def until(self, method: str) -> None:
        """Read until a notification of this method comes."""
        while self.read().get("method") != method:
            pass

    def _write(self, message: dict[str, Any]) -> None:
        self._input.write(json.dumps(message) + "\n")
        self._input.flush()


def main(prompt: str, *command: str) -> int:
    """Returns the exit code: 0 where `echo` was called."""
    app = App(list(command))
    app.request("initialize", {"clientInfo": {"name": "stand-in", "title": "Stand-in", "version": "1"}})
    app.send("initialized", wants_answer=False)
    # What a click on "full access" sets.
    settings = {"approvalPolicy": "never", "sandbox": "danger-full-access"}
    thread = app.request("thread/start", settings)["thread"]["id"]
    while not app.servers or any(state not in STARTED for state in app.servers.values()):
        app.read()
    for _ in range(2):
        app.request("turn/start", {"threadId": thread, "input": [{"type": "text", "text": prompt}]})
        app.until("turn/completed")
        if "echo" in app.called:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
