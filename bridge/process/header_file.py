"""The headers of `--header-file`, read again when the file changes.

| what | then |
|---|---|
| the file is as it was | one look at its time and size for each request |
| it has changed | the next request waits until it is read, in a thread, for a line may name a command |
| it cannot be read, a line is wrong, or no header is left | the headers stay; each change is warned of once |
| an `Authorization` header has come or gone | the same, because whether a run signs in stays as it is |
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping

import msgspec

from bridge.config import Header, NotedEnvironment, Settings, checked_header_value, merge_headers
from bridge.config.header_file import read_header_file, version_of
from bridge.errors import BridgeError, UsageError
from bridge.process.redact import Redactor
from bridge.process.secret_sources import read_secrets
from bridge.store.worker import Worker

_SECONDS = 60.0

_logger = logging.getLogger("bridge.headers")


class HeaderFile:
    """The headers of settings that name a file. `changed` gets the settings with the new ones, before they are used."""

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        changed: Callable[[Settings], None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        assert settings.header_file is not None  # noqa: S101 - its caller looks
        self._settings = settings
        self._path = settings.header_file
        self._redactor = redactor
        self._changed = changed
        self._environ = environ
        self._version = settings.header_file_version
        self._worker = Worker("header-file")
        self._reading: asyncio.Task[None] | None = None

    def has_changed(self) -> bool:
        """Whether `read` has to be awaited before the next request."""
        return self._reading is not None or version_of(self._path) != self._version

    async def read(self) -> None:
        """Read the file. Raises nothing: where it cannot be used, the headers stay as they are."""
        if self._reading is None:
            self._version = version_of(self._path)
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            headers = await self._worker.run(lambda _: self._headers(), _SECONDS)
            made = msgspec.structs.replace(self._settings, headers=headers)
            if made.signs_in != self._settings.signs_in:
                what = "none" if made.signs_in else "one"
                raise UsageError(
                    f"The header file {self._path} has changed: of Authorization headers there is {what} now.",
                    hint="Start the server again in the host, so that the bridge knows whether it has to sign in.",
                )
        except TimeoutError:
            _logger.warning("the header file %s is not read to its end, so the headers stay as they were", self._path)
        except BridgeError as problem:
            _logger.warning("the headers stay as they were: %s", problem)
        else:
            _logger.info("the header file %s has changed, and was read again", self._path)
            self._redactor.add_headers(headers, [name for name, _ in headers])
            self._settings = made
            self._changed(made)
        finally:
            self._reading = None

    def _headers(self) -> tuple[Header, ...]:
        noted = NotedEnvironment(self._environ)
        noted.read.update(dict.fromkeys(self._settings.secret_variables))
        found = read_header_file(self._path, noted)
        if not found:
            raise UsageError(f"The header file {self._path} has no header any more.")
        wanted = {value: f"the header {name}" for name, value in found if not isinstance(value, str)}
        secrets = read_secrets(wanted, noted) if wanted else {}
        read = [
            (name, value if isinstance(value, str) else checked_header_value(name, secrets[value]))
            for name, value in found
        ]
        fixed = [header for header in self._settings.headers if header[0].lower() in self._settings.header_names]
        return tuple((name, value) for name, value in merge_headers(read, fixed) if isinstance(value, str))
