"""`--keep-alive`, as the host hears it: progress of the bridge's own while a server is silent, until the answer.

A host sends a token where it wants progress of a call, and some give the call more time with each progress.

**The progress must increase** (MCP 2025-11-25, Progress), and must not stand in the way of the server's own numbers: an
SDK may drop what does not increase (modelcontextprotocol/typescript-sdk#1982). So it stays below 0, where most servers
begin, until the server has told a number. From then on it stays so close above the server's last that the next is
higher, and repeats the server's words.
"""

from __future__ import annotations

import math
from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Notification
from bridge.session.calls import Call
from bridge.session.commands import Deliver
from bridge.session.session_state import SessionState
from bridge.session.timers import Timer

_STEP = 1e-9
_HIGHEST = 1e15
"""From here on a step is lost in the precision of numbers."""

_LONGEST_WORDS = 2000


class _Told(msgspec.Struct, frozen=True, gc=False):
    """What the bridge reads in `notifications/progress`."""

    progress: float
    total: Raw = Raw()
    message: Raw = Raw()


_decode_told = partial(msgspec.json.decode, type=_Told)


class _Silence:
    """A call whose host asked for progress. `token` is as the host sent it; `began_at` in seconds.

    `told` is the server's last progress, and `spoken` how often the bridge has spoken since.
    """

    __slots__ = ("began_at", "call", "spoken", "timer", "token", "told")

    def __init__(self, call: Call, token: bytes, timer: Timer, began_at: float) -> None:
        self.call = call
        self.token = token
        self.timer = timer
        self.began_at = began_at
        self.told: _Told | None = None
        self.spoken = 0

    def number(self) -> float | None:
        """The next progress of the bridge's own; None where there is no room for one."""
        self.spoken += 1
        if self.told is None:
            return -_STEP / self.spoken
        last = self.told.progress
        number = last + self.spoken * max(abs(last), 1.0) * _STEP
        return number if abs(number) < _HIGHEST else None


class KeepAlive:
    """Speaks to the host after `seconds` of silence about a call."""

    def __init__(self, state: SessionState, seconds: float) -> None:
        self._state = state
        self._seconds = seconds
        self._by_call: dict[int, _Silence] = {}
        self._by_token: dict[bytes, _Silence] = {}

    def start(self, call: Call) -> None:
        """A call begins."""
        if token := messages.asked_progress_token(call.request.params):
            timer = self._state.timers.new("keep-alive", partial(self._speak, call.number), call.number)
            silence = _Silence(call, token, timer, self._state.now)
            self._by_call[call.number] = self._by_token[token] = silence
            timer.start(self._seconds)

    def progress(self, notification: Notification) -> None:
        """The server itself tells progress."""
        silence = self._by_token.get(messages.told_progress_token(notification.params))
        if silence is not None:
            told = messages.decoded(_decode_told, notification.params)
            silence.told = told if told is not None and math.isfinite(told.progress) else silence.told
            silence.spoken = 0 if told is not None else silence.spoken
            silence.timer.start(self._seconds)

    def stop(self, call: Call) -> None:
        """A call is over."""
        if silence := self._by_call.pop(call.number, None):
            silence.timer.stop()
            if self._by_token.get(silence.token) is silence:
                del self._by_token[silence.token]

    def _speak(self, number: int) -> None:
        silence = self._by_call[number]
        progress = silence.number()
        if progress is None:
            return
        params = {"progressToken": Raw(silence.token), "progress": Raw(msgspec.json.encode(progress))}
        told = silence.told
        if told is None:
            params["message"] = Raw(msgspec.json.encode(self._words(silence)))
        else:
            said = {"total": told.total, "message": told.message}
            params |= {name: value for name, value in said.items() if 0 < len(value) <= _LONGEST_WORDS}
        note = writing.notification(mcp.PROGRESS, msgspec.json.encode(params))
        self._state.commands.append(Deliver(note.line, note, silence.call.request.id))
        silence.timer.start(self._seconds)

    def _words(self, silence: _Silence) -> str:
        awaited = "sign-in" if self._state.timers.is_signing_in else "server"
        return f"Still waiting for the {awaited} ({self._state.now - silence.began_at:.0f} s)."
