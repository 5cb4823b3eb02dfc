"""HAProxy, a gateway before the origin.

It has no door `h2-only`: to HTTP/1.1 it closes the connection without a byte, and no one can tell that from a crash.
"""

from __future__ import annotations

from tests.wire.equipment import SMALL_LIMIT, Command, Debian, Equipment, Site, found

IDLE_SECONDS = 0.3

_HEAD = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    timeout http-request 10s
    option http-keep-alive
    retries 0

backend origin
    server origin 127.0.0.1:{origin}

backend down
    server down 127.0.0.1:{closed}

backend slow
    timeout server 500ms
    server origin 127.0.0.1:{origin}

"""


def start(site: Site) -> list[Command]:
    port = site.ports
    tls = f"ssl crt {site.certificate('both.pem')}"
    mutual = f"{tls} ca-file {site.certificate('ca.pem')} verify required"

    def frontend(door: str, bind: str = "", *lines: str, backend: str = "origin") -> str:
        named = [f"frontend {door}", f"bind {site.address}:{port[door]} {bind}", *lines, f"default_backend {backend}"]
        return "\n    ".join(named) + "\n"

    refuses = (
        'http-request return status 401 content-type text/html string "<h1>401</h1>" hdr WWW-Authenticate Bearer '
        "if !{ req.hdr(authorization) -m found }"
    )
    fronts = [
        frontend("plain"),
        frontend("tls", f"{tls} alpn h2,http/1.1"),
        frontend("brief", "", f"timeout http-keep-alive {IDLE_SECONDS * 1000:.0f}ms"),
        frontend("small", "", f"http-request deny deny_status 413 if {{ req.body_size gt {SMALL_LIMIT} }}"),
        frontend("guarded", "", refuses),
        frontend("packing", "", "compression algo gzip", "compression type application/json text/event-stream"),
        frontend("down", backend="down"),
        frontend("slow", backend="slow"),
        frontend("mutual-1.3", f"{mutual} ssl-min-ver TLSv1.3"),
        frontend("mutual-1.2", f"{mutual} ssl-max-ver TLSv1.2"),
        frontend("tls-1.1", f"{tls} ciphers DEFAULT:@SECLEVEL=0 ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.1"),
    ]
    text = _HEAD.format(origin=site.origin, closed=site.closed) + "\n".join(fronts)
    return [Command([found("haproxy"), "-db", "-f", str(site.write("haproxy.cfg", text))])]


EQUIPMENT = (
    Equipment(
        name="haproxy",
        source=Debian(("haproxy",), ("haproxy",)),
        doors=(
            *("plain", "tls", "brief", "small", "guarded", "packing", "down", "slow"),
            *("mutual-1.3", "mutual-1.2", "tls-1.1"),
        ),
        start=start,
        version=lambda site: [found("haproxy"), "-v"],
        idle={"brief": IDLE_SECONDS},
    ),
)
