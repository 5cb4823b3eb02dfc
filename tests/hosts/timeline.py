"""What a probe wrote down of a host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Timeline:
    """The notes of every copy of the probe that a host started, in order."""

    notes: list[dict[str, Any]]

    @property
    def first(self) -> list[dict[str, Any]]:
        """The notes of the first copy."""
        return [note for note in self.notes if note["pid"] == self.notes[0]["pid"]]

    @property
    def copies(self) -> int:
        """How many copies were started."""
        return len({note["pid"] for note in self.notes})

    def messages(self, *methods: str) -> list[dict[str, Any]]:
        """The requests and notifications of these methods, to any copy."""
        sent = [note["message"] for note in self.notes if note["what"] == "message"]
        return [message for message in sent if isinstance(message, dict) and message.get("method") in methods]

    @property
    def opens_with(self) -> str:
        """The revision that the first message names."""
        for message in self.messages("initialize", "server/discover")[:1]:
            params = message.get("params") or {}
            meta = params.get("_meta") or {}
            return str(params.get("protocolVersion") or meta.get("io.modelcontextprotocol/protocolVersion"))
        return "nothing"

    @property
    def client(self) -> str:
        """The name that the host gives itself."""
        for message in self.messages("initialize", "server/discover"):
            params = message.get("params") or {}
            meta = params.get("_meta") or {}
            named = params.get("clientInfo") or meta.get("io.modelcontextprotocol/clientInfo") or {}
            if named:
                return str(named["name"])
        return "nothing"

    @property
    def passes_desktop(self) -> bool:
        """Whether the variables of the desktop reached the probe."""
        return "DISPLAY" in self.notes[0]["desktop"]

    def lasted(self, until: float) -> float:
        """Seconds from the first copy's start to the end of its input, or to `until` on the system's clock.

        A copy that is killed cannot note its end: the start of the next stands for it.
        """
        closed = [note["at"] for note in self.first if note["what"] == "closed"]
        others = [note["at"] for note in self.notes if note["pid"] != self.notes[0]["pid"]]
        end = (closed or others or [until])[0]
        return float(end - self.notes[0]["at"])

    def told(self) -> str:
        """The whole, a line a note, for a person to read."""
        began = self.notes[0]["at"]
        pids = list(dict.fromkeys(note["pid"] for note in self.notes))
        lines = []
        for note in self.notes:
            rest = {key: value for key, value in note.items() if key not in {"at", "pid", "what", "variables"}}
            copy = pids.index(note["pid"]) + 1
            lines.append(f"{note['at'] - began:7.2f} copy {copy} {note['what']} {json.dumps(rest)[:700]}")
        return "\n".join(lines)


def read_timeline(file: Path) -> Timeline:
    """Read a probe's notes; there are none where the host started nothing."""
    if not file.exists():
        return Timeline([])
    notes = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return Timeline(sorted(notes, key=lambda note: note["at"]))
