"""The audit fails for a known vulnerability only, and what was not audited is not called good."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import audit
from scripts.environment import Environment
from tests.support.waits import stretched

PINS = "# head\nh11==0.16.0 \\\n    --hash=sha256:00\n"
SOUND = {"name": "h11", "version": "0.16.0", "vulns": []}
UNSOUND = {"name": "h11", "version": "0.15.0", "vulns": [{"id": "CVE-2025-43859", "fix_versions": ["0.16.0"]}]}
UNKNOWN = {"name": "h11", "skip_reason": "Dependency not found on PyPI and could not be audited: h11 (0.16.0)"}


def report(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_vulnerability_fails_and_is_named() -> None:
    found = audit.verdict(report(UNSOUND, UNKNOWN))
    assert (found.good, found.said) == (False, "pip-audit: h11 0.15.0: CVE-2025-43859, mended in 0.16.0")


def test_sound_packages_are_good() -> None:
    assert audit.verdict(report(SOUND)).good is True


@pytest.mark.parametrize("packages", [[], [UNKNOWN], [SOUND, UNKNOWN]])
def test_what_the_index_does_not_know_is_neither(packages: list[object]) -> None:
    assert audit.verdict(report(*packages)).good is None


class Index(http.server.BaseHTTPRequestHandler):
    answer: bytes | None = b"{}"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404 if self.answer is None else 200)
        self.end_headers()
        self.wfile.write(self.answer or b"")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Index]]:
    """A package index on this machine, and a folder for what is remembered."""
    handler = type("Handler", (Index,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(audit, "INDEX", f"http://127.0.0.1:{server.server_port}/pypi")
        monkeypatch.setattr(audit, "PINS", tmp_path / "constraints.txt")
        monkeypatch.setattr(audit, "REMEMBERED", tmp_path / "audit")
        monkeypatch.setattr(audit, "environment", lambda *_, **__: Environment(tmp_path))
        (tmp_path / "constraints.txt").write_text(PINS)
        yield handler
        server.shutdown()


def test_an_index_without_the_data_is_said_and_fails_nothing(
    index: type[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unasked(*_: object, **__: object) -> Environment:
        raise AssertionError("nothing may be installed")

    monkeypatch.setattr(audit, "environment", unasked)
    index.answer = None
    found = audit.audit()
    assert found.good is None
    assert found.said.endswith("/pypi/h11/0.16.0/json answered 404)")
    index.answer = b"<html>sign in to this network</html>"
    assert audit.audit().good is None


def test_an_index_that_cannot_be_reached_is_said(index: type[Index], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setattr(audit, "INDEX", f"http://127.0.0.1:{deaf.getsockname()[1]}/pypi")
        assert "refused" in audit.audit().said
    silent = threading.Event()
    monkeypatch.setattr(audit, "_complaint", lambda url: silent.wait(stretched(30)))
    monkeypatch.setattr(audit, "PROBE_LIMIT", 0.1)
    assert audit.audit().good is None
    assert "no answer" in audit.audit().said
    silent.set()


def test_a_good_result_stands_for_the_day_and_for_these_pins(
    index: type[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def ask(program: Path) -> str:
        asked.append(program)
        return report(SOUND)

    monkeypatch.setattr(audit, "ask", ask)
    assert [audit.audit().good, audit.audit().good] == [True, True]
    assert len(asked) == len(index.asked) == 1
    audit.PINS.write_text(PINS.replace("0.16.0", "0.17.0"))
    assert audit.audit().good is True
    assert len(asked) == 2
