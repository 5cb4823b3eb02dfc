"""mitmproxy, a proxy that breaks TLS open: each name gets a certificate of its own authority."""

from __future__ import annotations

from pathlib import Path

from tests.wire.equipment import NAME, PASSWORD, USER, Command, Equipment, PyPi, Site

_SCRIPT = Path(__file__).parents[1] / "programs" / "mitmproxy_names.py"


def start(site: Site) -> list[Command]:
    # Both share the authority, which the first makes where it is not there.
    commands = []
    for door, more in (("proxy", ()), ("proxy-basic", ("--proxyauth", f"{USER}:{PASSWORD}"))):
        # Its console script has the interpreter's path in it, which may be too long for a first line.
        run = [site.python(), "-c", "import sys; from mitmproxy.tools.main import mitmdump; sys.exit(mitmdump())"]
        options = {
            "confdir": str(site.certificates / "mitmproxy"),
            "ssl_verify_upstream_trusted_ca": str(site.certificate("ca.pem")),
            "connection_strategy": "lazy",
            "stream_large_bodies": "1m",
            "scripts": str(_SCRIPT),
            "flow_detail": "1",
        }
        settings = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
        listens = ["--listen-host", "127.0.0.1", "--listen-port", str(site.ports[door])]
        commands.append(Command([*run, *listens, *settings, *more], {"WIRE_NAME": NAME}))
    return commands


EQUIPMENT = (
    Equipment(
        name="mitmproxy",
        source=PyPi(("mitmproxy==11.0.2; python_version < '3.12'", "mitmproxy==12.2.1; python_version >= '3.12'")),
        doors=("proxy", "proxy-basic"),
        start=start,
        version=lambda site: [site.python(), "-c", "from mitmproxy.version import VERSION; print(VERSION)"],
    ),
)
