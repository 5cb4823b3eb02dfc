"""What is known of the era of the server, and finding it out. See `probing` for what an answer means.

The bridge sends no probe if the first message of the host answers the question anyway:

| the server | the host's first message | what is sent first | what shows the era |
|---|---|---|---|
| unknown | `initialize` | it, with metadata | a session that it opens; else a probe, whose answer the host gets too |
| unknown, or known to be legacy only | `server/discover` | it | its answer, which the host gets too |
| the same | a list | it, together with a probe | the answer that comes first |
| the same | anything else | a probe; the message waits | its answer |
| known | anything | it, in the form of that era | an answer that contradicts the era is held, and a probe sent |

A probe is a `server/discover` request. The metadata (`probing.with_request_meta`) is what a modern server requires in
each request. Nearly all legacy servers ignore it, but a few fail: they do not know the version in the header, or treat
the request as a modern one. So an `initialize` with metadata that is refused is sent once more as it came, unless the
server turns out to be modern only.
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
    """Knows the eras of the server. `settled(result, asked_by, answer)` is called after a probe.

    `asked_by` is the host's request for which the probe was sent, `answer` the answer to the probe; each may be None.
    `eras` are the ones that the server speaks, as far as known; empty: nothing is known. A server that names only
    modern versions may speak both eras all the same: then legacy `is_assumed` until the server refuses `initialize`.
    `is_fixed`: the user set the eras, so they are never in doubt.
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
        """Whether a probe is in progress."""
        return self._probe is not None

    @property
    def may_be_modern(self) -> bool:
        """Whether it is not known yet if the server speaks the modern era."""
        return not self.eras or self._is_modern_unasked

    @property
    def wants_request_meta(self) -> bool:
        """Whether `initialize` must carry the metadata of a modern request, so that its answer shows the era."""
        return self.is_assumed or (self._is_guess and self._is_modern_unasked)

    def may_be(self, era: str) -> bool:
        """Whether the server may speak this era, as far as known."""
        return not self.eras or era in self.eras or (era == MODERN and self._is_modern_unasked)

    def take_for_legacy(self) -> None:
        """Let the `initialize` of a legacy host show the era of a server about which nothing is known."""
        self.eras, self._is_guess, self._is_modern_unasked = frozenset({LEGACY}), True, True

    def ask(self, asked_by: Request | None) -> None:
        """Send a probe, with the client information of the host that sent `asked_by`."""
        self._asked_by = asked_by
        self._probe = self._upstreams.probing(lambda _, deliver: self._take(deliver))
        self._limit.start(PROBE_SECONDS)
        self._probe.host(probing.probe(_PROBE_ID, asked_by))

    def is_in_doubt(self, upstream: Upstream, deliver: Deliver) -> bool:
        """Learn from an answer. Returns True if it must not go to the host before the era is known.

        If `is_asked` is False then, no probe was needed: the era is known already.
        """
        if self._is_fixed or deliver.request is None:
            return False
        if (upstream.era == LEGACY or self.may_be_modern) and probing.is_proof(deliver, upstream.era):
            self._prove(upstream.era)
            return False
        if upstream.era == MODERN and self.may_be_modern and self._probe is not None:
            return True  # It was sent together with the probe.
        if not (probing.is_doubtful(deliver, upstream.era) or self._failed_on_request_meta(deliver)):
            return False
        if self.eras and upstream.era not in self.eras:
            return True  # It was sent before the era was known.
        if self.is_assumed and upstream.era == LEGACY:
            self._learn(frozenset({MODERN}))
            return True
        if self._probe is None:
            is_recent = self._doubted_at is not None and self._context.now - self._doubted_at <= _DOUBT_SECONDS
            if is_recent and not self.may_be_modern:
                return False
            if not self.may_be_modern:  # Otherwise nothing is known that could be in doubt.
                self._doubted_at = self._context.now
            self.ask(deliver.request)
        self._has_refused |= upstream.era == LEGACY
        return True

    def _failed_on_request_meta(self, deliver: Deliver) -> bool:
        """Whether a server about which nothing is known may have failed because of the metadata in `initialize`."""
        opens = deliver.request is not None and deliver.request.method == mcp.INITIALIZE
        return opens and self._is_guess and self._is_modern_unasked and probing.is_request_meta_fault(deliver)

    def _on_silence(self) -> None:
        """The server did not answer the probe in time."""
        if self._probe is not None:
            self._probe.give_up()
            self._settle(probing.FOR_NOW)

    def close(self) -> None:
        """The run ends: ignore what comes from now on."""
        self._is_fixed = True
        self._probe = None

    def _take(self, deliver: Deliver) -> None:
        if deliver.request is not None and self._probe is not None:
            self._limit.stop()
            self._settle(probing.judge(deliver), deliver.message)

    def _prove(self, era: str) -> None:
        """An answer to a request of the host has shown that the server speaks this era."""
        if era == MODERN and self.may_be_modern:
            if self._probe is not None:
                self._limit.stop()
                self._probe.give_up()
            self._settle(ProbeResult(frozenset({MODERN}), is_kept=True))
        elif era == LEGACY and (self._is_guess or self.is_assumed):
            self._learn(self.eras | {UNASKED} if self._is_modern_unasked else self.eras)

    def _settle(self, result: ProbeResult, answer: Message | None = None) -> None:
        if self._probe is not None:
            self._upstreams.drop(self._probe)
        self._probe = None
        asked_by, self._asked_by = self._asked_by, None
        if result.is_kept:
            if self._is_guess and LEGACY in result.eras:
                self._doubted_at = self._context.now  # It has just said so: a refusal soon after is final.
            is_assumed = LEGACY not in result.eras and not self._has_refused
            self._learn(result.eras | {LEGACY} if is_assumed else result.eras)
            self.is_assumed = is_assumed
        elif result.eras:
            if not self.eras:
                self.eras, self._is_guess = result.eras, True
            self._is_modern_unasked = False
        self._has_refused = False
        self._settled(result, asked_by, answer if isinstance(answer, Response) else None)

    def _learn(self, eras: Eras) -> None:
        """Note the eras of the server, and store them for later runs."""
        if eras - {UNASKED} != self.eras or (UNASKED in eras) != self._is_modern_unasked or self._is_guess:
            self._context.do(SaveEras(eras))
        self.eras = eras - {UNASKED}
        self._is_modern_unasked = UNASKED in eras
        self._is_guess = self.is_assumed = False
