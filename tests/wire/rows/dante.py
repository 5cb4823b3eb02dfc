"""Dante, a SOCKS 5 proxy. It looks its users up in the system; nss_wrapper puts a file of the tests in their place."""

from __future__ import annotations

import os

from tests.wire.equipment import NAME, USER, Command, Debian, Equipment, Site, found

_HASH = "$6$bridgewire$SZsBOgJo3pXg8EJKUQ0ETI85kYlq51bC0qNlJ6cs43F.KXflE2Q8p.spi8xT7uDutzGxa4k.cR.B3bChi/ey91"
"""`PASSWORD`, as `openssl passwd -6` writes it."""

_CONF = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: {method}
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
"""


def start(site: Site) -> list[Command]:
    people = {"nobody": 65534, USER: 65533}
    if os.geteuid() not in {0, *people.values()}:
        people["runner"] = os.geteuid()
    passwd = "".join(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in people.items())
    variables = site.names(NAME) | {
        "NSS_WRAPPER_PASSWD": str(site.write("passwd", passwd)),
        "NSS_WRAPPER_GROUP": str(site.write("group", "nogroup:x:65534:\n")),
        "NSS_WRAPPER_SHADOW": str(site.write("shadow", f"{USER}:{_HASH}:19000:0:99999:7:::\n")),
    }
    commands = []
    for door, method in (("socks", "none"), ("socks-user", "username")):
        file = site.write(f"{door}.conf", _CONF.format(port=site.ports[door], method=method))
        commands.append(Command([found("danted"), "-f", str(file), "-p", str(site.folder / f"{door}.pid")], variables))
    return commands


EQUIPMENT = (
    Equipment(
        name="dante",
        source=Debian(("dante-server", "libnss-wrapper"), ("danted",)),
        doors=("socks", "socks-user"),
        start=start,
        version=lambda site: [found("danted"), "-v"],
    ),
)
