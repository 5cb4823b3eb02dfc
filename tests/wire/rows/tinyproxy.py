"""Tinyproxy, an HTTP proxy that closes each connection after one request."""

from __future__ import annotations

from tests.wire.equipment import NAME, PASSWORD, USER, Command, Debian, Equipment, Site, found


def start(site: Site) -> list[Command]:
    variables = site.names(NAME)
    commands = []
    for door, more in (("proxy", ""), ("proxy-basic", f"BasicAuth {USER} {PASSWORD}\n")):
        own = f'Port {site.ports[door]}\nPidFile "{site.folder}/{door}.pid"\n'
        file = site.write(f"{door}.conf", f"Listen 127.0.0.1\nTimeout 60\nMaxClients 200\n{own}{more}")
        commands.append(Command([found("tinyproxy"), "-d", "-c", str(file)], variables))
    return commands


EQUIPMENT = (
    Equipment(
        name="tinyproxy",
        source=Debian(("tinyproxy", "libnss-wrapper"), ("tinyproxy",)),
        doors=("proxy", "proxy-basic"),
        start=start,
        version=lambda site: [found("tinyproxy"), "-v"],
    ),
)
