"""nginx, a gateway before the origin."""

from __future__ import annotations

from tests.wire.equipment import IDLE, Command, Debian, Equipment, Site, found

_HTTP = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ worker_connections 400; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 40; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_next_upstream off;
    client_max_body_size 64m;
    ssl_certificate {certificates}/server.pem;
    ssl_certificate_key {certificates}/server.key;
    ssl_client_certificate {certificates}/ca.pem;
{servers}
}}
"""
_PASS = "location / { proxy_pass http://origin; }"


def start(site: Site) -> list[Command]:
    def server(door: str, *lines: str, inside: str = _PASS) -> str:
        name, _, how = door.partition(" ")
        listen = f"listen {site.address}:{site.ports[name]} {how};"
        return "\n        ".join(["    server {", listen, *lines, inside]) + "\n    }"

    refuses = (
        'location / { if ($http_authorization = "") { add_header WWW-Authenticate Bearer always; return 401; } '
        "proxy_pass http://origin; }"
    )
    own = (
        f"ssl_certificate {site.certificate('stranger.pem')};",
        f"ssl_certificate_key {site.certificate('stranger.key')};",
    )
    servers = [
        server("plain"),
        server("tls ssl"),
        server("brief", f"keepalive_timeout {IDLE:g}s;"),
        server("announced", f"keepalive_timeout {2 * IDLE:g}s {2 * IDLE:g}s;"),
        server("small", "client_max_body_size 64k;", "lingering_close off;"),
        server("guarded", "lingering_close off;", inside=refuses),
        server("packing", "gzip on;", "gzip_types *;", "gzip_min_length 1;"),
        server("holding", "proxy_buffering on;"),
        server("down", inside=f"location / {{ proxy_pass http://127.0.0.1:{site.closed}; }}"),
        server("slow", "proxy_read_timeout 500ms;"),
        server("mutual-1.3 ssl", "ssl_verify_client on;", "ssl_protocols TLSv1.3;"),
        server("mutual-1.2 ssl", "ssl_verify_client on;", "ssl_protocols TLSv1.2;"),
        server("h2-only-plain http2"),
        server("tls-1.1 ssl", "ssl_protocols TLSv1.1;", "ssl_ciphers DEFAULT:@SECLEVEL=0;"),
        server("self-signed ssl", *own),
    ]
    text = _HTTP.format(
        folder=site.folder, origin=site.origin, certificates=site.certificates, servers="\n".join(servers)
    )
    return [Command([found("nginx"), "-p", str(site.folder), "-c", str(site.write("nginx.conf", text))])]


EQUIPMENT = (
    Equipment(
        name="nginx",
        source=Debian(("nginx",), ("nginx",)),
        doors=(
            *("plain", "tls", "brief", "announced", "small", "guarded", "packing", "holding", "down", "slow"),
            *("mutual-1.3", "mutual-1.2", "h2-only-plain", "tls-1.1", "self-signed"),
        ),
        start=start,
        version=lambda site: [found("nginx"), "-v"],
        idle={"brief": IDLE, "announced": 2 * IDLE},
    ),
)
