"""The head of a log at debug: versions, the system, the options, and the program that started the process.

It holds no secret. A developer who receives a log does not have to ask for any of this.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bridge import PROGRAM, __version__
from bridge.config import PATIENCE_VARIABLE, Settings, SignInSettings
from bridge.errors import BridgeError

LIBRARIES = ("authlib", "click", "filelock", "h11", "httpx", "keyring", "msgspec", "psutil", "truststore")
"""Packages whose version may explain what happened."""

_SECRET = frozenset(("client_secret", "header_command"))
_NAMES_ONLY = frozenset(("headers", "authorize_params"))
_NO_OPTIONS = frozenset(
    (
        *("url", "sign_in", "secret_variables", "secret_headers", "server_name", "server_file", "remarks", "notes"),
        *("header_names", "header_file_version"),
    )
)

_logger = logging.getLogger("bridge.app")


def begin_log(settings: Settings, what: str) -> None:
    """Log the head at debug, and the warnings and notes about the settings."""
    log_head(settings, what)
    for remark in settings.remarks:
        _logger.warning("%s", remark)
    for note in settings.notes:
        _logger.info("%s", note)


def log_head(settings: Settings, what: str) -> None:
    """Log the head, where debug is logged. `what` says which of the bridge's processes this is."""
    if not _logger.isEnabledFor(logging.DEBUG):
        return
    import platform

    from bridge.process.parent_name import started_by

    _logger.debug("%s: %s %s, Python %s (%s)", what, PROGRAM, __version__, _python(), sys.executable)
    _logger.debug("system: %s", platform.platform())
    _logger.debug("libraries: %s", ", ".join(_versions()))
    _logger.debug("server: %s", settings.url)
    _logger.debug("proxy: %s", _proxy(settings.url))
    _logger.debug("options: %s", " ".join(options_of(settings)) or "none")
    _logger.debug("started by: %s", started_by())


def _proxy(url: str) -> str:
    """The proxy that a variable or the system names, without its password."""
    from bridge.remote.proxy import proxy_for

    try:
        proxy = proxy_for(url, os.environ)
    except BridgeError as problem:
        return problem.message
    return proxy.url if proxy else "none"


def options_of(settings: Settings) -> Iterator[str]:
    """The options that differ from their defaults, as the user types them; of headers and parameters only the names."""
    for given, usual in ((settings, Settings(settings.url)), (settings.sign_in, SignInSettings())):
        for name in given.__struct_fields__:
            value = getattr(given, name)
            if name not in _NO_OPTIONS and value != getattr(usual, name):
                yield from _typed(name, value)


def _typed(name: str, value: object) -> Iterator[str]:
    if name == "retry_window":
        yield f"{PATIENCE_VARIABLE}={value}"
        return
    option = f"--{name.removesuffix('s' if name in _NAMES_ONLY else '').replace('_', '-')}"
    if name in _NAMES_ONLY and isinstance(value, tuple):
        yield from (f"{option} {pair[0]}" for pair in value)
    elif name in _SECRET:
        yield f"{option} ***"
    elif value is True:
        yield option
    else:
        yield f"{option} {_shown(value)}"


def _shown(value: object) -> str:
    if value is None:
        return "0"  # No limit.
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"'{text}'" if " " in text or isinstance(value, Path) else text


def _python() -> str:
    return sys.version.partition(" ")[0]


def _versions() -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    for name in LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} (not installed)"
