"""What is known of the server's era, and finding it out; see `probing` for what an answer means.

Nothing is asked that the host's own first message asks anyway:

| the server | the host's first message | what goes up at first | the era is known by |
|---|---|---|---|
| unknown | `initialize` | it, stamped | a session that it opens; else `server/discover`, whose answer serves the host |
| unknown, or legacy and no more is known | `server/discover` | it | its answer, which is the host's too |
| the same | a list | it, and `server/discover` beside it | whichever says so first |
| the same | anything else | `server/discover`; the message waits | its answer |
| known | anything | it, as that era has it | an answer that speaks against it is held, and `server/discover` asked |

The stamp (`probing.with_request_meta`) is what a modern server has to find in each request. Nearly all servers take no
notice of
it. Some do: they know no such version in a header, or take what is stamped for modern. So a stamped `initialize` that
is refused goes once more as it came, unless the server turns out to be modern and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge import PROGRAM
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Message, Request, Response
from bridge.session import probing
from bridge.session.commands import Deliver, SaveEras
from bridge.session.probing import LEGACY, MODERN, PROBE_SECONDS, UNASKED, Eras, ProbeResult
from bridge.session.upstream import RouterContext, Upstream
from bridge.session.upstreams import Upstreams

Settled = Callable[[ProbeResult, Request | None, Response | None], None]

_DOUBT_SECONDS = 30.0
_PROBE_ID = f'"{PROGRAM}/probe"'.encode()


class ServerEra:
    """Keeps the verdict. `settled(verdict, asked_by, answer)` is told what came of a probe.

    `asked_by` is the host's request that it was sent for, `answer` what the server said to it; each may be None.
    `eras`: those the server speaks, for all that is known, from before or by now; none: nothing is known. A server that
    names only modern versions may be of both all the same: legacy `is_assumed` then, until it refuses `initialize`.
    `is_fixed`: the eras are the user's word, and never doubted.
    """

    def __init__(
        self, context: RouterContext, upstreams: Upstreams, eras: Eras, settled: Settled, *, is_fixed: bool
    ) -> None:
        self._context = context
        self._upstreams = upstreams
        self._settled = settled
        self._is_fixed = is_fixed
        self._is_guess = False
        self._has_refused = False
        self.is_assumed = False
        self._is_modern_unasked = UNASKED in eras
        self._doubted_at: float | None = None
        self._probe: Upstream | None = None
        self._asked_by: Request | None = None
        self._limit = context.timers.new("probe", self._on_silence, extension=PROBE_SECONDS)
        self.eras = eras - {UNASKED}

    @property
    def is_asked(self) -> bool:
        """Whether the server is being asked just now."""
        return self._probe is not None

    @property
    def may_be_modern(self) -> bool:
        """Whether nothing says yet that the server is modern, nor that it is not."""
        return not self.eras or self._is_modern_unasked

    @property
    def wants_request_meta(self) -> bool:
        """Whether `initialize` shall show what the server is, so that a modern one must be able to understand it."""
        return self.is_assumed or (self._is_guess and self._is_modern_unasked)

    def may_be(self, era: str) -> bool:
        """Whether the server speaks this era for all that is known, or nothing is known of that."""
        return not self.eras or era in self.eras or (era == MODERN and self._is_modern_unasked)

    def take_for_legacy(self) -> None:
        """Let a legacy host's `initialize` show what a server is that nothing is known of."""
        self.eras, self._is_guess, self._is_modern_unasked = frozenset({LEGACY}), True, True

    def ask(self, asked_by: Request | None) -> None:
        """Probe the server, in the name of the host that sent `asked_by`."""
        self._asked_by = asked_by
        self._probe = self._upstreams.probing(lambda _, deliver: self._take(deliver))
        self._limit.start(PROBE_SECONDS)
        self._probe.host(probing.probe(_PROBE_ID, asked_by))

    def is_in_doubt(self, upstream: Upstream, deliver: Deliver) -> bool:
        """Learn from an answer of `upstream`; True where it must not go to the host before the server was asked again.

        Where `is_asked` is False then, that was not necessary: it is known already.
        """
        if self._is_fixed or deliver.request is None:
            return False
        if (upstream.era == LEGACY or self.may_be_modern) and probing.is_proof(deliver, upstream.era):
            self._prove(upstream.era)
            return False
        if upstream.era == MODERN and self.may_be_modern and self._probe is not None:
            return True  # It went up beside the question.
        if not (probing.is_doubtful(deliver, upstream.era) or self._failed_on_stamp(deliver)):
            return False
        if self.eras and upstream.era not in self.eras:
            return True  # It was sent before that was known.
        if self.is_assumed and upstream.era == LEGACY:
            self._learn(frozenset({MODERN}))
            return True
        if self._probe is None:
            is_recent = self._doubted_at is not None and self._context.now - self._doubted_at <= _DOUBT_SECONDS
            if is_recent and not self.may_be_modern:
                return False
            if not self.may_be_modern:  # Else nothing was known that could be doubted.
                self._doubted_at = self._context.now
            self.ask(deliver.request)
        self._has_refused |= upstream.era == LEGACY
        return True

    def _failed_on_stamp(self, deliver: Deliver) -> bool:
        """Whether a server that nothing is known of may have failed on the stamp of `initialize`."""
        opens = deliver.request is not None and deliver.request.method == mcp.INITIALIZE
        return opens and self._is_guess and self._is_modern_unasked and probing.is_request_meta_fault(deliver)

    def _on_silence(self) -> None:
        """The server did not answer the probe in time."""
        if self._probe is not None:
            self._probe.give_up()
            self._settle(probing.FOR_NOW)

    def close(self) -> None:
        """The run ends: what comes now is no verdict."""
        self._is_fixed = True
        self._probe = None

    def _take(self, deliver: Deliver) -> None:
        if deliver.request is not None and self._probe is not None:
            self._limit.stop()
            self._settle(probing.judge(deliver), deliver.message)

    def _prove(self, era: str) -> None:
        """An answer to the host's has shown that the server speaks this era."""
        if era == MODERN and self.may_be_modern:
            if self._probe is not None:
                self._limit.stop()
                self._probe.give_up()
            self._settle(ProbeResult(frozenset({MODERN}), is_kept=True))
        elif era == LEGACY and (self._is_guess or self.is_assumed):
            self._learn(self.eras | {UNASKED} if self._is_modern_unasked else self.eras)

    def _settle(self, verdict: ProbeResult, answer: Message | None = None) -> None:
        if self._probe is not None:
            self._upstreams.drop(self._probe)
        self._probe = None
        asked_by, self._asked_by = self._asked_by, None
        if verdict.is_kept:
            if self._is_guess and LEGACY in verdict.eras:
                self._doubted_at = self._context.now  # It has just said so: a refusal by then is one.
            is_assumed = LEGACY not in verdict.eras and not self._has_refused
            self._learn(verdict.eras | {LEGACY} if is_assumed else verdict.eras)
            self.is_assumed = is_assumed
        elif verdict.eras:
            if not self.eras:
                self.eras, self._is_guess = verdict.eras, True
            self._is_modern_unasked = False
        self._has_refused = False
        self._settled(verdict, asked_by, answer if isinstance(answer, Response) else None)

    def _learn(self, eras: Eras) -> None:
        """Take this for true, and keep it across restarts."""
        if eras - {UNASKED} != self.eras or (UNASKED in eras) != self._is_modern_unasked or self._is_guess:
            self._context.do(SaveEras(eras))
        self.eras = eras - {UNASKED}
        self._is_modern_unasked = UNASKED in eras
        self._is_guess = self.is_assumed = False
