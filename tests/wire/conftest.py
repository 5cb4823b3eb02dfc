"""Equipment that runs as long as the tests that need it, and the table of what held."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.config import Settings
from bridge.remote.tls import ssl_context
from tests.support.process.node import MODULES_VARIABLE, NODE_VARIABLE
from tests.wire.caller import Caller
from tests.wire.certificates import write_certificates
from tests.wire.chosen import Spot, environment_of, told, why_missing
from tests.wire.equipment import Equipment, Site
from tests.wire.origin import Origin, serving
from tests.wire.report import add_row
from tests.wire.running import Running, running

_SCENE = "scene(name): the line of a test in the table of what held"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _SCENE)


@dataclass(frozen=True)
class Here:
    """A door of running equipment, with what is around it."""

    equipment: Running
    door: str
    origin: Origin
    certificates: Path

    @property
    def port(self) -> int:
        """Where the door is."""
        return self.equipment.site.ports[self.door]

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        secure = self.door in {"tls", "h2-only", "tls-1.1", "self-signed"} or self.door.startswith("mutual")
        return f"http{'s' if secure else ''}://127.0.0.1:{self.port}"

    def caller(self, **options: object) -> Caller:
        """One that calls here and trusts the tests' authority."""
        return Caller(self.url, **{"tls": self.tls(), **options})  # type: ignore[arg-type]

    def tls(self, *, trusting: bool = True, certified: bool = False) -> ssl.SSLContext:
        """The bridge's own TLS, as `--ca-file` and `--client-cert` make it."""
        own: dict[str, Path] = {}
        if trusting:
            own["ca_file"] = self.certificates / "ca.pem"
        if certified:
            own |= {
                "client_cert": self.certificates / "client.pem",
                "client_cert_key": self.certificates / "client.key",
            }
        return ssl_context(settings(self.url, **own), {})

    def ran(self, mark: str) -> int:
        """How often the server behind the door ran what bears this mark."""
        every = self.equipment.ran() if self.equipment.row.serves else self.origin.ran
        return every.count(mark)


def settings(url: str, **own: Path) -> Settings:
    """Settings with these files."""
    return Settings(url=url, **own)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def certificates() -> Iterator[Path]:
    # Not pytest's folder, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="wire-certificates-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield write_certificates(Path(folder))


@pytest.fixture(scope="session")
def origin(certificates: Path) -> Iterator[Origin]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "both.pem")
    with serving(context) as origin:
        yield origin


@pytest.fixture(scope="session")
def fleet(origin: Origin, certificates: Path) -> Iterator[Callable[[Equipment], Running]]:
    """Starts equipment when it is first needed; it runs until the end."""
    started: dict[str, Running] = {}
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as stack:

        def start(row: Equipment) -> Running:
            assert row.name not in failed, failed[row.name]
            if row.name not in started:
                site = Site(
                    folder=Path(),
                    ports={},
                    origin=origin.port,
                    origin_tls=origin.tls_port,
                    closed=0,
                    certificates=certificates,
                    installed=environment_of(row),
                    node=Path(os.environ.get(NODE_VARIABLE, "node")),
                    node_modules=Path(os.environ.get(MODULES_VARIABLE, "")),
                )
                try:
                    started[row.name] = stack.enter_context(running(row, site))
                except AssertionError as problem:
                    failed[row.name] = str(problem)
                    raise
                _note({"equipment": row.name, "version": started[row.name].version})
            return started[row.name]

        yield start


@pytest.fixture
def spot(
    request: pytest.FixtureRequest, fleet: Callable[[Equipment], Running], origin: Origin, certificates: Path
) -> Here:
    wanted: Spot = request.param
    if why := why_missing(wanted.row):
        pytest.skip(why)
    return Here(fleet(wanted.row), wanted.door, origin, certificates)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a cell to the table."""
    report = yield
    here = getattr(item, "funcargs", {}).get("spot")
    if report.failed and isinstance(here, Here):
        report.sections.append((f"the log of {here.equipment.row.name}", here.equipment.said()))
    scene = item.get_closest_marker("scene")
    params = getattr(item, "callspec", None)
    wanted = params.params.get("spot") if params else None
    if (
        scene
        and wanted
        and (report.when == "call" or (report.when == "setup" and report.failed))
        and not report.skipped
    ):
        _note({"scene": scene.args[0], "equipment": wanted.row.name, "door": wanted.door, "holds": report.passed})
    return report


def _note(row: Mapping[str, object]) -> None:
    said = told()
    if said is not None:
        add_row(Path(said["results"]), row)
