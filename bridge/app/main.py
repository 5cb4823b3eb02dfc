"""The wiring: the only module that makes the concrete objects of a run and starts the event loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge import PROGRAM, __version__
from bridge.app.bridge import Bridge
from bridge.app.features import features_in_front, long_calls
from bridge.config import Settings
from bridge.host.output import HostOutput
from bridge.host.parent import watch_parent
from bridge.host.stdio import HostInput, watch_hang_up
from bridge.process import log
from bridge.process.event_loop import run_on_loop
from bridge.process.log_head import begin_log
from bridge.process.shutdown import end_for_certain, stop_on_signals
from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.exchanges import Remote
from bridge.remote.proxy import Proxy, may_change, proxy_for
from bridge.session.router import HostRouter
from bridge.store import era_cache
from bridge.tokens.authorization import Authorization

if TYPE_CHECKING:
    from bridge.app.response_cache import KeptResponses
    from bridge.app.start import EarlyStart
    from bridge.process.aws_signer import AwsSigner
    from bridge.process.header_file import HeaderFile
    from bridge.provisional.host_state import HostMemory
    from bridge.provisional.provisional_server import ProvisionalServer
    from bridge.provisional.standby import Standby
    from bridge.tokens.command_headers import CommandHeaders
    from bridge.tokens.token_renewer import TokenRenewer

_LAST_MOMENT = 1.9

_logger = logging.getLogger("bridge.app")


def run(settings: Settings, begun: EarlyStart) -> int:
    """Bridge until the host ends, with what `start` has begun; return the exit code. Raises `BridgeError`."""
    stdin, stdout = begun.descriptors
    with log.configure(settings) as logging_to:
        begin_log(settings, "a run of the bridge")
        run_on_loop(_run(settings, begun, logging_to, stdin, stdout))
        if os.isatty(stdin):
            _logger.info("stopped")
    return 0


def _say_at_a_terminal(login_command: str) -> None:
    _logger.info(
        "An MCP host starts this program and talks to it on stdin and stdout. Here stdin is a terminal, so the program "
        f"waits for MCP messages that you type; Ctrl-C ends it. To sign in, run: %s ; "
        f"to list your sign-ins: {PROGRAM} status ; for help: {PROGRAM} --help",
        login_command,
    )


async def _run(settings: Settings, begun: EarlyStart, logging_to: log.Log, stdin: int, stdout: int) -> None:
    proxy = begun.proxy
    if proxy and proxy.auth:
        logging_to.redactor.add(proxy.auth[1])
    # Before any input is read, because a bad certificate file is reported at once.
    tls = begun.trust.context() if begun.trust is not None else None
    route = Route(origin_of(settings.url), proxy, tls, choose=_chooser(settings.url, logging_to))
    connections = Connections(route, settings.connect_timeout)
    for connection in begun.connections:
        connections.expect(route.connect(settings.connect_timeout, connection.taken))
    router = _router(settings, logging_to)
    own = settings.sign_in
    # Without a user there is nothing to wait for longer than for any answer.
    within = own.answer_within if settings.signs_in and not own.grant_without_user else None
    machine = router if within is None else _standby(router, within, settings, logging_to)
    output = HostOutput(stdout, lambda: bridge.stop("the host closed its end of stdout"))
    bridge = Bridge(machine, output, _remembering(settings.url))
    authorization = _authorization(settings, logging_to, bridge) if settings.signs_in else None
    credentials = _command_headers(settings, logging_to) if settings.header_command else authorization
    remote = Remote(
        settings.url,
        _headers(settings),
        connections,
        changing=_header_file(settings, logging_to, lambda changed: on_headers(changed))
        if settings.header_file
        else None,
        authorization=credentials,
        signer=_signer(settings, logging_to) if settings.aws_sigv4 else None,
        emit=bridge.take,
        clear=output.drained,
    )
    bridge.connect(remote, connections.drop_idle, authorization.wish if authorization else lambda: None)
    bridge.use_kept_responses(_kept_responses(settings, authorization, bridge))
    changes = itertools.count(1)

    def on_headers(changed: Settings) -> None:
        remote.use_headers(_headers(changed))
        bridge.use_kept_responses(_kept_responses(changed, authorization, bridge, next(changes)))

    stop_on_signals(bridge.stop)
    watch_hang_up(stdout, lambda: bridge.stop("the host closed its end of stdout"))
    if not watch_parent(lambda: bridge.stop("the parent process died")):
        _logger.debug("this system does not tell when the parent process dies")
    HostInput(stdin, bridge.on_input, bridge.on_input_end).start()
    if os.isatty(stdin):
        _say_at_a_terminal(_login_command(settings, logging_to))
    closing: list[asyncio.Task[None]] = []

    def on_stop() -> None:
        end_for_certain(_LAST_MOMENT, 0)
        connections.rest()
        if credentials is not None:
            # At the same time as the rest, because a refresh under way needs the time that is left.
            closing.append(asyncio.create_task(credentials.close()))

    _collect_again()
    await bridge.run(on_stop=on_stop)
    await asyncio.gather(*closing)


def _chooser(url: str, logging_to: log.Log) -> Callable[[], Proxy | None] | None:
    """A function that chooses the proxy for each new connection; None where it is the same for the whole run."""
    if not may_change(os.environ):
        return None

    def choose() -> Proxy | None:
        proxy = proxy_for(url, os.environ)
        if proxy and proxy.auth:
            logging_to.redactor.add(proxy.auth[1])
        return proxy

    return choose


def _collect_again() -> None:
    """Collect garbage from now on, but ignore the objects that the start has made, because nearly all of them stay."""
    gc.freeze()
    gc.enable()


def _router(settings: Settings, logging_to: log.Log) -> HostRouter:
    is_told = settings.protocol != "auto"
    return HostRouter(
        settings.url,
        settings.transport,
        settings.retry_window,
        settings.request_timeout,
        logging_to.redactor,
        eras=frozenset({settings.protocol}) if is_told else era_cache.load(settings.url, time.time()) or frozenset(),
        is_fixed=is_told,
        # Nobody can tell whose answers they are without the headers, which a start does not have yet.
        keeps_responses=not (settings.no_cache or settings.header_command or settings.aws_sigv4),
        in_front=None if settings.features.pass_through else features_in_front(settings),
        long_calls=long_calls(settings),
        mends_headers=not settings.features.pass_through,
        fresh=_unguessable,
        timestamp=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _standby(router: HostRouter, within: float, settings: Settings, logging_to: log.Log) -> Standby:
    from bridge.provisional.standby import Standby

    def load(memory: HostMemory) -> ProvisionalServer:
        from bridge.provisional.provisional_server import ProvisionalServer

        return ProvisionalServer(
            router,
            memory,
            within,
            logging_to.redactor,
            url=settings.url,
            login_command=lambda: _login_command(settings, logging_to),
            fresh=_unguessable,
        )

    # The host has waited for this process at least as long as the processor time that it has used.
    started_at = time.monotonic() - time.process_time()
    return Standby(router, load, started_at)


def _login_command(settings: Settings, logging_to: log.Log) -> str:
    from bridge.tokens.typed_command import login_command

    return logging_to.redactor(login_command(settings))


def _remembering(url: str) -> Callable[[frozenset[str]], None]:
    """Stores the server's eras, in a thread, in the order in which they were found."""
    writers: list[threading.Thread] = []

    def remember(eras: frozenset[str]) -> None:
        before = writers[-1] if writers else None

        def write() -> None:
            if before is not None:
                before.join()
            era_cache.save(url, eras, time.time())
            if "modern" not in eras:
                from bridge.store import response_files

                response_files.forget(url)  # They were the answers of a modern server.

        writers[:] = [threading.Thread(target=write, name="remember")]
        writers[0].start()

    return remember


def _kept_responses(
    settings: Settings, authorization: Authorization | None, bridge: Bridge, changes: int = 0
) -> Callable[[], KeptResponses]:
    made: list[KeptResponses] = []

    def kept_responses() -> KeptResponses:
        if not made:
            from bridge.app.response_cache import KeptResponses

            made.append(KeptResponses(settings, authorization, bridge.take, changes=changes))
        return made[0]

    return kept_responses


def _unguessable() -> str:
    from secrets import token_urlsafe

    return token_urlsafe(24)


def _authorization(settings: Settings, logging_to: log.Log, bridge: Bridge) -> Authorization:
    from bridge.process.host_environment import keyring_variables
    from bridge.store.choice import open_store
    from bridge.tokens.login_order import tokens_key_of

    own = settings.sign_in
    since = time.time()
    logging_to.redactor.add(own.client_secret)
    store = open_store(own.token_store, lambda text: _logger.warning("%s", text), keyring_variables)

    def make_renewal() -> TokenRenewer:
        from bridge.tokens.token_renewer import TokenRenewer

        return TokenRenewer(settings, logging_to, bridge, since=since)

    return Authorization(
        tokens_key_of(settings),
        store,
        make_renewal,
        use_id_token=own.use_id_token,
        grant=own.grant_without_user,
        add_secret=logging_to.add_secret,
        tell=bridge.take,
    )


def _command_headers(settings: Settings, logging_to: log.Log) -> CommandHeaders:
    from bridge.tokens.command_headers import command_headers_of

    return command_headers_of(settings, logging_to.redactor)


def _signer(settings: Settings, logging_to: log.Log) -> AwsSigner:
    from bridge.config.aws_sigv4 import sigv4_scope
    from bridge.process.aws_signer import AwsSigner

    return AwsSigner(*sigv4_scope(settings.aws_sigv4), logging_to.redactor)


def _header_file(settings: Settings, logging_to: log.Log, changed: Callable[[Settings], None]) -> HeaderFile:
    from bridge.process.header_file import HeaderFile

    return HeaderFile(settings, logging_to.redactor, changed)


def _headers(settings: Settings) -> tuple[tuple[bytes, bytes], ...]:
    headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in settings.headers]
    if not any(name.lower() == b"user-agent" for name, _ in headers):
        headers.append((b"user-agent", f"{PROGRAM}/{__version__}".encode()))
    return tuple(headers)
