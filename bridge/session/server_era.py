"""What is known of the server's era, and finding it out; see `probing` for what an answer means."""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Request
from bridge.session import probing
from bridge.session.commands import CancelTimer, Deliver, Remember, SetTimer
from bridge.session.lane import Desk, Lane
from bridge.session.lanes import Lanes
from bridge.session.probing import LEGACY, MODERN, PROBE_SECONDS, Eras, Verdict

PROBE_TIMER = ("probe", 0)

_DOUBT_SECONDS = 30.0
_PROBE_ID = b'"mcp-remote-bridge/probe"'


class ServerEra:
    """Keeps the verdict. `settled(verdict)` is told what came of a probe.

    `eras`: those the server may speak, for all that is known, from before or by now; none: nothing is known. Modern is
    among them only if it has shown so, legacy as long as it has not refused `initialize`: a server of both need not
    name the older versions to a modern request. `is_fixed`: the eras are the user's word, and never doubted.
    """

    def __init__(
        self, desk: Desk, lanes: Lanes, eras: Eras, settled: Callable[[Verdict], None], *, is_fixed: bool
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._settled = settled
        self._is_fixed = is_fixed
        self._refused: set[str] = set()
        self._is_guess = False
        self._judged_at: float | None = None
        self._probe: Lane | None = None
        self._signing_in = False
        self.eras = eras

    @property
    def is_asked(self) -> bool:
        """Whether the server is being asked just now."""
        return self._probe is not None

    def ask(self, asked_by: Request | None) -> None:
        """Probe the server, in the name of the host that sent `asked_by`."""
        self._probe = self._lanes.native(MODERN, receive=lambda _, deliver: self._take(deliver))
        self._desk.do(SetTimer(PROBE_TIMER, PROBE_SECONDS))
        self._probe.host(probing.probe(_PROBE_ID, asked_by))

    def is_in_doubt(self, lane: Lane, deliver: Deliver) -> bool:
        """Learn from an answer of `lane`; True where it must wait until the server has been asked again."""
        if self._is_fixed or deliver.request is None:
            return False
        if self._is_guess and probing.is_proof(deliver, lane.era):
            self._learn(self.eras)
            return False
        if not probing.is_doubtful(deliver, lane.era):
            return False
        if self._probe is None:
            if self._judged_at is not None and self._desk.now - self._judged_at <= _DOUBT_SECONDS:
                return False
            self.ask(deliver.request)
        self._refused.add(lane.era)
        return True

    def signing_in(self, begins: bool) -> None:
        """A person is asked to sign in, or no more: meanwhile nothing is late."""
        self._signing_in = begins

    def on_silence(self) -> None:
        """The server takes its time."""
        if self._signing_in:
            self._desk.do(SetTimer(PROBE_TIMER, PROBE_SECONDS))
        elif self._probe is not None:
            self._probe.give_up()
            self._settle(probing.FOR_NOW)

    def close(self) -> None:
        """The run ends: what comes now is no verdict."""
        self._is_fixed = True
        self._probe = None

    def _take(self, deliver: Deliver) -> None:
        if deliver.request is not None and self._probe is not None:
            self._desk.do(CancelTimer(PROBE_TIMER))
            self._settle(probing.judge(deliver))

    def _settle(self, verdict: Verdict) -> None:
        if self._probe is not None:
            self._lanes.drop(self._probe)
        self._probe = None
        self._judged_at = self._desk.now
        if verdict.is_kept:
            may_be_legacy = MODERN in verdict.eras and LEGACY not in self._refused
            self._learn(verdict.eras | {LEGACY} if may_be_legacy else verdict.eras)
        elif not self.eras:
            self.eras, self._is_guess = verdict.eras, True
        self._refused.clear()
        self._settled(verdict)

    def _learn(self, eras: Eras) -> None:
        """Take this for true, and keep it across restarts."""
        if eras != self.eras or self._is_guess:
            self._desk.do(Remember(eras))
        self.eras, self._is_guess = eras, False
