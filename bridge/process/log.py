"""The log: one line for each event on stderr, and the same with time and detail in `--log-file`.

| sink | level | line | traceback |
|---|---|---|---|
| stderr | `--log-level`, error if `--silent` | `mcp-remote-bridge: warning: text`, cut at 500 | at debug |
| file | `--log-level` | `2026-01-31T12:00:00.000+01:00 4711 warning bridge.remote: text` | at debug |

Loggers are named `bridge.<room>`; those of libraries are shown only at debug. Every line passes the redactor. Where a
sink fails, blocks or is closed, the line is lost and nothing else happens: logging never stops a run. `log_stderr`
writes to stderr, `log_file` to the file.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bridge import PROGRAM
from bridge.process.log_stderr import StderrLines
from bridge.process.redact import Redactor
from bridge.protocol.sanitize import escaped

if TYPE_CHECKING:
    # The command line's errors pass through here, even where a package that `config` imports is missing.
    from bridge.config import Settings

FORWARDED = "bridge.login.forwarded"
"""The logger for lines of a login process, which has written them to the log file itself."""
LONGEST_LINE = 500

_LAST_SECONDS = 0.25


_CHATTY = ("httpx", "httpcore", "filelock", "keyring")


class Log:
    """The configured log of one run. Close it at the end, and give its `redactor` each secret."""

    def __init__(
        self, redactor: Redactor, handlers: list[logging.Handler], stderr: StderrLines, *, omits_warnings: bool
    ) -> None:
        self.redactor = redactor
        self._omits_warnings = omits_warnings
        self._stderr = stderr
        self._handlers = handlers
        self._hooks = (warnings.showwarning, sys.unraisablehook, threading.excepthook)
        self._levels = [(logger, logger.level) for logger in (logging.getLogger(), logging.getLogger("bridge"))]

    def add_secret(self, secret: str) -> None:
        """Mask this text in every line from now on."""
        self.redactor.add(secret)

    def announce(self, words: str, url: str, first: Sequence[str] = ()) -> None:
        """Show the user the URL to open: whole, once, and on stderr only.

        `first` are warnings to read before. Where the log level leaves warnings out, they are shown here.

        Only this text is neither redacted nor cut: an authorization request holds a `state`, and the user may have to
        open it by hand. Without the verifier, which never leaves the process, the URL gives no one a token.
        """
        for text in first if self._omits_warnings else ():
            self._stderr.write(f"{PROGRAM}: warning: {escaped(self.redactor(text), LONGEST_LINE)}\n", is_kept=True)
        self._stderr.write(f"{PROGRAM}: {escaped(words)} {escaped(url)}\n", is_kept=True)

    def close(self) -> None:
        """Remove this log's sinks, write what waits for stderr, and restore the interpreter's hooks."""
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        self._stderr.close(_LAST_SECONDS)
        for logger, level in self._levels:
            logger.setLevel(level)
        warnings.showwarning, sys.unraisablehook, threading.excepthook = self._hooks

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def configure(settings: Settings) -> Log:
    """Send the log where `settings` says. Raises `UsageError` where the log file cannot be opened."""
    redactor = Redactor()
    redactor.add_headers(settings.headers, settings.secret_headers)
    level = logging.getLevelName(settings.log_level.upper())
    debug = level == logging.DEBUG
    lines = StderrLines()
    least = logging.ERROR if settings.silent else level
    stderr = StderrHandler(lines, least)
    stderr.setFormatter(LineFormatter(redactor, tracebacks=debug and not settings.silent))
    handlers: list[logging.Handler] = [stderr]
    if settings.log_file:
        file = FileHandler(settings.log_file, level)
        file.setFormatter(FileFormatter(redactor, tracebacks=debug))
        file.addFilter(lambda record: record.name != FORWARDED)
        handlers.append(file)
    log = Log(redactor, handlers, lines, omits_warnings=least > logging.WARNING)
    for handler in handlers:
        if not debug:
            handler.addFilter(_is_own)
        logging.getLogger().addHandler(handler)
    # Libraries compare with the root's level before they build a record; "bridge" has a level of its own.
    logging.getLogger().setLevel(level if debug else logging.CRITICAL)
    logging.getLogger("bridge").setLevel(level)
    for name in _CHATTY:
        # They log each request with its URL, or each byte; the bridge logs what matters of it.
        logging.getLogger(name).setLevel(logging.WARNING)
    _take_hooks()
    return log


class LineFormatter(logging.Formatter):
    """One line for each record, cut and named after the program, with the traceback below it where that is wanted."""

    longest: int | None = LONGEST_LINE

    def __init__(self, redactor: Redactor, *, tracebacks: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._tracebacks = tracebacks

    def head(self, record: logging.LogRecord) -> str:
        """Return what comes before the text."""
        word = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{PROGRAM}: {word}"

    def format(self, record: logging.LogRecord) -> str:
        """Mask first, then escape and cut, because a secret that is cut in half would not be recognized."""
        lines = [self.head(record) + escaped(self._redactor(record.getMessage()))]
        if self._tracebacks and record.exc_info and record.exc_info[1] is not None:
            trace = self._redactor(self.formatException(record.exc_info))
            lines += [f"    {escaped(line)}" for line in trace.split("\n")]
        return "\n".join(escaped(line, self.longest) for line in lines)


class FileFormatter(LineFormatter):
    """Whole lines with time, process and logger."""

    longest = None

    def head(self, record: logging.LogRecord) -> str:
        """Return the local time with its offset, and the process, because several copies may write to one file."""
        when = time.localtime(record.created)
        zone = time.strftime("%z", when)
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', when)}.{int(record.msecs):03d}{zone[:3]}:{zone[3:]}"
        return f"{stamp} {record.process} {record.levelname.lower()} {record.name}: "


class StderrHandler(logging.Handler):
    """Gives each line of a record to the writer of stderr."""

    def __init__(self, lines: StderrLines, level: int) -> None:
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's lines."""
        with suppress(Exception):  # A record that cannot be formatted.
            for line in self.format(record).split("\n"):
                self._lines.write(f"{line}\n")


class FileHandler(logging.Handler):
    """Appends to the log file, with one write for each record. Raises `UsageError` where it cannot be opened."""

    def __init__(self, path: Path, level: int) -> None:
        from bridge.process.log_file import LogFile

        super().__init__(level)
        self._file = LogFile(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a full disk loses it."""
        with suppress(Exception):
            self._file.write(f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._file.close()
        super().close()


def _is_own(record: logging.LogRecord) -> bool:
    return record.name == "bridge" or record.name.startswith("bridge.")


def _take_hooks() -> None:
    """Log at debug what the interpreter would otherwise print on stderr."""
    logger = logging.getLogger("bridge.python")

    def warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        logger.debug("%s at %s:%d: %s", category.__name__, filename, lineno, message)

    def unraisable(what: Any) -> None:
        _debug_exception(logger, "ignored in a finalizer", what.exc_value)

    def in_thread(what: Any) -> None:
        if what.exc_type is not SystemExit:
            _debug_exception(logger, "not caught in a thread", what.exc_value)

    warnings.showwarning = warned
    sys.unraisablehook = unraisable
    threading.excepthook = in_thread


def _debug_exception(logger: logging.Logger, where: str, error: BaseException | None) -> None:
    logger.debug("%s %s", type(error).__name__, where, exc_info=error)
