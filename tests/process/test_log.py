"""The log's lines, its file, and that nothing done to stderr disturbs a run."""

import io
import logging
import os
import re
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings
from bridge.errors import UsageError
from bridge.process.log import LONGEST_LINE, Log, configure
from tests.support.waits import stretched

LOGGER = logging.getLogger("bridge.test")
SECRET = "pl4nted-s3cret"


class Configurer:
    """Configures a log and undoes it after the test."""

    def __init__(self) -> None:
        self.logs: list[Log] = []

    def __call__(self, **values: Any) -> Log:
        log = configure(Settings(url="https://h/mcp", **values))
        self.logs.append(log)
        return log


@pytest.fixture
def configured() -> Iterator[Configurer]:
    configurer = Configurer()
    yield configurer
    for log in reversed(configurer.logs):
        log.close()


def say_everything() -> None:
    LOGGER.debug("d")
    LOGGER.info("i")
    LOGGER.warning("w")
    LOGGER.error("e")


P = "mcp-remote-bridge: "


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ({}, ["i", "warning: w", "error: e"]),
        ({"log_level": "debug"}, ["debug: d", "i", "warning: w", "error: e"]),
        ({"log_level": "error"}, ["error: e"]),
        ({"silent": True}, ["error: e"]),
        ({"silent": True, "log_level": "debug"}, ["error: e"]),
    ],
)
def test_stderr_shows_the_wanted_levels(
    values: dict[str, Any], lines: list[str], configured: Configurer, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(**values)
    say_everything()
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [P + line for line in lines]
    assert captured.out == ""


def test_the_file_has_time_process_level_and_name(configured: Configurer, tmp_path: Path) -> None:
    file = tmp_path / "bridge.log"
    configured(log_file=file, silent=True)
    say_everything()
    pattern = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}[+-]\d\d:\d\d {os.getpid()} (\w+) bridge\.test: (.)"
    found = [re.fullmatch(pattern, line) for line in file.read_text().splitlines()]
    assert [match and match.groups() for match in found] == [("info", "i"), ("warning", "w"), ("error", "e")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_the_file_is_its_owners(configured: Configurer, tmp_path: Path) -> None:
    file = tmp_path / "bridge.log"
    before = os.umask(0)
    try:
        configured(log_file=file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_is_appended_to(configured: Configurer, tmp_path: Path) -> None:
    file = tmp_path / "bridge.log"
    file.write_text("before\n")
    configured(log_file=file)
    LOGGER.info("after")
    assert [line.rpartition(" ")[2] for line in file.read_text().splitlines()] == ["before", "after"]


def test_a_file_that_cannot_be_opened_is_a_usage_error(configured: Configurer, tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    (tmp_path / "plain").write_text("")
    for path in (tmp_path, tmp_path / "plain" / "bridge.log"):
        with pytest.raises(UsageError, match="log file") as caught:
            configured(log_file=path)
        assert str(path) in str(caught.value)
    assert logging.getLogger().handlers == handlers


def test_a_folder_that_is_not_there_is_told_and_not_made(configured: Configurer, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        configured(log_file=tmp_path / "new" / "bridge.log")
    assert f"the folder {tmp_path / 'new'} does not exist. Create that folder" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_one_event_is_one_capped_printable_line(
    configured: Configurer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bridge.log"
    configured(log_file=file)
    LOGGER.info("a\r\nb\x1b[31m\u2028\u202e\ud800 %s", "x" * 2000)
    line = capsys.readouterr().err
    assert line.startswith(P + r"a\r\nb\x1b[31m\u2028\u202e\ud800 xxx")
    assert line.endswith("xxx...\n")
    assert len(line) == LONGEST_LINE + 1
    assert "x" * 2000 in file.read_text()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_tracebacks_are_for_debug(
    level: str, configured: Configurer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bridge.log"
    log = configured(log_level=level, log_file=file, headers=(("Authorization", f"Bearer {SECRET}"),))
    log.redactor.add("other-secret")
    try:
        raise ValueError(f"bad {SECRET} other-secret\nsecond line")
    except ValueError:
        LOGGER.exception("it failed")
    for text in (capsys.readouterr().err, file.read_text()):
        assert ("Traceback" in text) is (level == "debug")
        assert ("    second line" in text) is (level == "debug")
        assert "it failed" in text
        assert SECRET not in text
        assert "other-secret" not in text


def test_a_secret_is_masked_before_the_line_is_cut(configured: Configurer, capsys: pytest.CaptureFixture[str]) -> None:
    configured(headers=(("X-Key", SECRET),))
    LOGGER.info("%s%s", "x" * (LONGEST_LINE - len(P) - 8), SECRET)
    assert SECRET[:5] not in capsys.readouterr().err


@pytest.mark.parametrize("level", ["info", "debug"])
def test_libraries_are_heard_at_debug_only(
    level: str, configured: Configurer, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(log_level=level)
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    logging.getLogger("concurrent.futures").debug("connect")
    logging.getLogger("httpcore.connection").debug("each byte would be told twice")
    logging.getLogger("bridgehead").error("not ours")
    assert len(capsys.readouterr().err.splitlines()) == (3 if level == "debug" else 0)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_warnings_and_lost_errors_go_to_the_log(
    level: str, configured: Configurer, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(log_level=level)

    def fail() -> None:
        raise RuntimeError("in a thread")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join(stretched(10))
    text = capsys.readouterr().err
    if level == "info":
        assert text == ""
    else:
        assert "debug: DeprecationWarning at " in text
        assert "old thing" in text
        assert "debug: RuntimeError not caught in a thread" in text


def test_close_puts_everything_back() -> None:
    def state() -> tuple[object, ...]:
        root = logging.getLogger()
        hooks = (warnings.showwarning, sys.unraisablehook, threading.excepthook)
        return (*root.handlers, root.level, logging.getLogger("bridge").level, *hooks)

    before = state()
    with configure(Settings(url="https://h/mcp")):
        assert state() != before
    assert state() == before


class Broken(io.StringIO):
    def write(self, s: str) -> int:
        raise BrokenPipeError


def closed_stream() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, Broken(), closed_stream()], ids=["none", "broken", "closed"])
def test_a_lost_stderr_does_no_harm(
    stream: io.StringIO | None, configured: Configurer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bridge.log"
    configured(log_file=file)
    monkeypatch.setattr(sys, "stderr", stream)
    LOGGER.error("still here")
    assert "still here" in file.read_text()


def test_a_record_that_cannot_be_formatted_does_no_harm(
    configured: Configurer, capsys: pytest.CaptureFixture[str]
) -> None:
    configured()
    # Straight to the sink: the test runner's own handler would complain.
    sink = logging.getLogger().handlers[-1]
    sink.handle(LOGGER.makeRecord(LOGGER.name, logging.ERROR, "", 0, "%d", ("not a number",), None))
    sink.handle(LOGGER.makeRecord(LOGGER.name, logging.ERROR, "", 0, "next", (), None))
    assert capsys.readouterr().err == f"{P}error: next\n"


@pytest.mark.parametrize(
    ("changes", "count"), [({}, 0), ({"log_level": "warning"}, 0), ({"log_level": "error"}, 1), ({"silent": True}, 1)]
)
def test_a_link_never_comes_without_what_is_to_be_read_before_it(
    changes: dict[str, Any], count: int, configured: Configurer, capsys: pytest.CaptureFixture[str]
) -> None:
    log = configured(**changes)
    log.announce("Sign in at:", "https://as.example/in", ("It moved\x1b[1m.",))
    log.close()
    assert capsys.readouterr().err.splitlines() == [
        *[f"{P}warning: It moved\\x1b[1m."] * count,
        f"{P}Sign in at: https://as.example/in",
    ]


def test_a_stderr_that_is_not_read_blocks_nothing_and_loses_lines_openly(
    configured: Configurer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as stream, open(reading) as received:  # noqa: PTH123 - descriptors, not paths
        monkeypatch.setattr(sys, "stderr", stream)
        log = configured()
        link = "https://h/authorize?" + "x" * 8000

        def flood() -> None:
            for number in range(5000):
                LOGGER.info("line %d of a log that nobody reads", number)
            log.announce("To sign in, open", link)

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        thread.join(stretched(30))
        assert not thread.is_alive()
        lines: list[str] = []
        while not lines or not lines[-1].endswith(link):
            lines.append(received.readline().removesuffix("\n"))
    counts = [re.fullmatch(rf"{P}warning: (\d+) lines? dropped because stderr was not read", line) for line in lines]
    dropped = [int(found[1]) for found in counts if found]
    assert dropped
    assert len(lines) - 1 - len(dropped) + sum(dropped) == 5000


def test_a_closed_stderr_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    program = (
        "import logging, os\n"
        "from bridge.process.log import configure\n"
        "from bridge.config import Settings\n"
        "configure(Settings(url='https://h/'))\n"
        "os.close(2)\n"
        "logging.getLogger('bridge').error('lost')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=stretched(60), check=False)
    assert (done.returncode, done.stdout) == (0, b"")
