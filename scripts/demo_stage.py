"""What the acts of the demo share: the screen, the stage, and how a message is told and checked."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.demo_process import DemoError, Host, Message, Process, supports_colour
from scripts.environment import ROOT, Environment

_COLOURS = {"host": "36", "server": "32", "stderr": "2", "title": "1", "step": "33", "bad": "31"}
_UNTOLD = frozenset({"_meta", "requestedSchema", "mode", "requestState"})


@dataclass
class Screen:
    """Where the person reads along."""

    colours: bool = field(default_factory=supports_colour)
    width: int = field(default_factory=lambda: max(60, min(shutil.get_terminal_size((110, 24)).columns, 140)))

    def title(self, words: str) -> None:
        """Show what a whole act is about."""
        self._line("title", f"\n{words}\n{'=' * len(words)}")

    def step(self, words: str) -> None:
        """Show what happens next."""
        self._line("step", f"\n{words}")

    def message(self, sender: str, message: Message) -> None:
        """Show one message, shortened."""
        self._line(sender, self._shortened(f"  {sender:<6} -> {describe(message)}"))

    def words(self, speaker: str, words: str) -> None:
        """Show what a process said on stderr; a host keeps the bridge's words in a log file."""
        self._line("stderr", self._shortened(f"  ({speaker}) {words}"))

    def failed(self, words: str) -> None:
        """Show what went wrong."""
        self._line("bad", f"\nNot as it should be: {words}")

    def _shortened(self, line: str) -> str:
        return line if len(line) <= self.width else line[: self.width - 3] + "..."

    def _line(self, kind: str, line: str) -> None:
        print(f"\033[{_COLOURS[kind]}m{line}\033[0m" if self.colours else line, flush=True)


@dataclass(frozen=True)
class Stage:
    """What an act plays on."""

    screen: Screen
    made: Environment
    start: Callable[[Process], Process]

    def server(self, *arguments: str) -> tuple[Process, str]:
        """Start the remote server; return it and its URL."""
        command = [str(self.made.python), str(ROOT / "scripts" / "demo_server.py"), *arguments]
        server = self.start(Process("server", command, self.screen.words))
        return server, server.line()

    def host(self, url: str, *options: str) -> tuple[Process, Host]:
        """Launch the bridge as a host does; return it and the host's end."""
        self.screen.step(f"The host launches: mcp-remote-bridge {' '.join([*options, url])}")
        bridge = self.command(*options, url)
        return bridge, Host(bridge, self.screen.message)

    def command(self, *words: str) -> Process:
        """Start the bridge with these words."""
        return self.start(Process("bridge", [str(self.made.python), "-m", "bridge", *words], self.screen.words))


def describe(message: Message) -> str:
    """Return a message the way a person says it: the method and what matters of its content."""
    which = f"[{json.dumps(message['id'])}] " if "id" in message else ""
    if "method" in message:
        params = dict(message.get("params") or {})
        name = params.pop("name", None) or params.pop("uri", None) or params.pop("message", None)
        rest = params.get("arguments") or {key: value for key, value in params.items() if key not in _UNTOLD}
        return " ".join(
            [
                f"{which}{message['method']}",
                *([str(name)] if name else []),
                *([json.dumps(rest)] if rest else []),
            ]
        )
    if "error" in message:
        return f"{which}error {json.dumps(message['error'])}"
    result = message.get("result") or {}
    for plural in ("tools", "resources", "prompts"):
        if isinstance(result.get(plural), list):
            return f"{which}{plural}: {', '.join(str(entry.get('name')) for entry in result[plural])}"
    if "serverInfo" in result:
        return f"{which}{json.dumps(result['serverInfo'])}, protocol {result.get('protocolVersion')}"
    if isinstance(result.get("messages"), list):
        return f"{which}messages: {', '.join(json.dumps(entry.get('content')) for entry in result['messages'])}"
    if "supportedVersions" in result:
        return f"{which}supported versions: {', '.join(result['supportedVersions'])}"
    if "inputRequests" in result:
        asked = (entry.get("params", {}).get("message") for entry in result["inputRequests"].values())
        return f"{which}input required: {', '.join(json.dumps(question) for question in asked)}"
    for content in result.get("content") or result.get("contents") or []:
        if "text" in content:
            return f"{which}{json.dumps(content['text'])}"
    return f"{which}{json.dumps(result)}"


def expect(good: bool, words: str, got: object) -> None:
    """Raise `DemoError` unless what was checked is good."""
    if not good:
        raise DemoError(f"{words}; got {json.dumps(got)[:300]}")


def text_of(result: Message) -> object:
    """Return the first text of a tool's result."""
    content = result.get("content")
    return content[0].get("text") if content else None


def call(tool: str, arguments: Message) -> Message:
    """Return the parameters of a tool call."""
    return {"name": tool, "arguments": arguments}


def tally(requests: Counter[str]) -> str:
    """Return how many of each HTTP request there were, in words."""
    methods: Counter[str] = Counter()
    for request, times in requests.items():
        methods[request.split()[0]] += times
    return ", ".join(f"{times} {method}" for method, times in methods.most_common())
