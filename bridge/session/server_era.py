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

    `eras`: those the server speaks, for all that is known, from before or by now; none: nothing is known. A server that
    names only modern versions may be of both all the same: legacy `is_assumed` then, until it refuses `initialize`.
    `is_fixed`: the eras are the user's word, and never doubted.
    """

    def __init__(
        self, desk: Desk, lanes: Lanes, eras: Eras, settled: Callable[[Verdict], None], *, is_fixed: bool
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._settled = settled
        self._is_fixed = is_fixed
        self._is_guess = False
        self._has_refused = False
        self.is_assumed = False
        self._doubted_at: float | None = None
        self._probe: Lane | None = None
        self._signing_in = False
        self.eras = eras

    @property
    def is_asked(self) -> bool:
        """Whether the server is being asked just now."""
        return self._probe is not None

    def ask(self, asked_by: Request | None) -> None:
        """Probe the server, in the name of the host that sent `asked_by`."""
        self._probe = self._lanes.probing(lambda _, deliver: self._take(deliver))
        self._desk.do(SetTimer(PROBE_TIMER, PROBE_SECONDS))
        self._probe.host(probing.probe(_PROBE_ID, asked_by))

    def is_in_doubt(self, lane: Lane, deliver: Deliver) -> bool:
        """Learn from an answer of `lane`; True where it must not go to the host before the server has been asked again.

        Where `is_asked` is False then, that was not necessary: it is known already.
        """
        if self._is_fixed or deliver.request is None:
            return False
        if probing.is_proof(deliver, lane.era):
            if self._is_guess or self.is_assumed:
                self._learn(self.eras)
            return False
        if not probing.is_doubtful(deliver, lane.era):
            return False
        if self.eras and lane.era not in self.eras:
            return True  # It was sent before that was known.
        if self.is_assumed and lane.era == LEGACY:
            self._learn(frozenset({MODERN}))
            return True
        if self._probe is None:
            if self._doubted_at is not None and self._desk.now - self._doubted_at <= _DOUBT_SECONDS:
                return False
            self._doubted_at = self._desk.now
            self.ask(deliver.request)
        self._has_refused |= lane.era == LEGACY
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
        if verdict.is_kept:
            is_assumed = LEGACY not in verdict.eras and not self._has_refused
            self._learn(verdict.eras | {LEGACY} if is_assumed else verdict.eras)
            self.is_assumed = is_assumed
        elif not self.eras:
            self.eras, self._is_guess = verdict.eras, True
        self._has_refused = False
        self._settled(verdict)

    def _learn(self, eras: Eras) -> None:
        """Take this for true, and keep it across restarts."""
        if eras != self.eras or self._is_guess:
            self._desk.do(Remember(eras))
        self.eras = eras
        self._is_guess = self.is_assumed = False
