"""Caddy, a gateway before the origin, on Go's HTTP server.

Debian has 2.6.2, in which an answer that comes while Go still reads on after the request's body breaks off ("use of
closed network connection" in its log). With `buffer_requests` the body is read before.
"""

from __future__ import annotations

from tests.wire.equipment import IDLE, Command, Debian, Equipment, Site, found

_FLOWING = "flush_interval -1\nbuffer_requests"
_REFUSE = "respond @anyone 401"


def start(site: Site) -> list[Command]:
    port = site.ports
    tls = f"tls {site.certificate('server.pem')} {site.certificate('server.key')}"
    mutual = f"client_auth {{\nmode require_and_verify\ntrusted_ca_cert_file {site.certificate('ca.pem')}\n}}\n"

    def door(name: str, *lines: str, to: int = site.origin, more: str = _FLOWING) -> str:
        scheme = "https" if name == "tls" or name.startswith("mutual") else "http"
        named = [
            f"{scheme}://:{port[name]} {{",
            f"bind {site.address}",
            *lines,
            f"reverse_proxy 127.0.0.1:{to} {{",
            more,
        ]
        return "\n".join([*named, "}", "}"])

    idle = "\n".join([f"servers {site.address}:{port['brief']} {{", "timeouts {", f"idle {IDLE:g}s", "}", "}"])
    # An address has no name that the client could send in the handshake.
    nameless = "".join(
        f"servers {site.address}:{port[door]} {{\nstrict_sni_host insecure_off\n}}\n"
        for door in ("mutual-1.3", "mutual-1.2")
    )
    sites = [
        f"{{\nadmin off\nauto_https off\n{nameless}{idle}\n}}",
        door("plain"),
        door("tls", tls),
        door("brief"),
        door("guarded", "@anyone not header Authorization *", 'header @anyone WWW-Authenticate "Bearer"', _REFUSE),
        door("packing", "encode gzip {\nminimum_length 1\nmatch {\nheader Content-Type *\n}\n}"),
        door("down", to=site.closed),
        door("slow", more=f"{_FLOWING}\ntransport http {{\nresponse_header_timeout 500ms\n}}"),
        door("mutual-1.3", f"{tls} {{\nprotocols tls1.3\n{mutual}}}"),
        door("mutual-1.2", f"{tls} {{\nprotocols tls1.2 tls1.2\n{mutual}}}"),
    ]
    file = site.write("Caddyfile", "\n\n".join(sites) + "\n")
    run = [found("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
    return [Command(run, {"HOME": str(site.folder), "XDG_DATA_HOME": str(site.folder / "data")})]


EQUIPMENT = (
    Equipment(
        name="caddy",
        source=Debian(("caddy",), ("caddy",)),
        doors=("plain", "tls", "brief", "guarded", "packing", "down", "slow", "mutual-1.3", "mutual-1.2"),
        start=start,
        version=lambda site: [found("caddy"), "version"],
        idle={"brief": IDLE},
    ),
)
