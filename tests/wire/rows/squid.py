"""Squid, an HTTP proxy."""

from __future__ import annotations

from tests.wire.equipment import IDLE, NAME, USER, Command, Debian, Equipment, Site, found

_HASH = "$apr1$bridgewi$B0aDw4Z91UKI.l.5KN0Vt1"
"""`PASSWORD`, as `openssl passwd -apr1` writes it."""

_CONF = """
{listens}
acl basic_door myportname proxy-basic
acl negotiate_door myportname proxy-negotiate
acl brief_door myportname brief
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords
auth_param basic utf8 on
auth_param basic children 1 startup=0
auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth
auth_param negotiate children 1 startup=0
auth_schemes basic basic_door
auth_schemes negotiate negotiate_door
acl signed_in proxy_auth REQUIRED
http_access deny basic_door !signed_in
http_access deny negotiate_door !signed_in
http_access allow all
cache deny all
cache_mem 1 MB
memory_cache_shared off
maximum_object_size_in_memory 8 KB
hosts_file {folder}/hosts
dns_nameservers 127.0.0.1
dns_timeout 1 second
connect_timeout 5 seconds
client_idle_pconn_timeout {idle} seconds
shutdown_lifetime 0 seconds
pid_filename none
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
coredump_dir {folder}
pinger_enable off
visible_hostname proxy.example.test
"""


def start(site: Site) -> list[Command]:
    listens = "\n".join(f"http_port {site.address}:{port} name={door}" for door, port in site.ports.items())
    site.write("hosts", f"127.0.0.1 localhost {NAME}\n")
    site.write("passwords", f"{USER}:{_HASH}\n")
    text = _CONF.format(listens=listens, folder=site.folder, idle=f"{IDLE:g}")
    return [Command([found("squid"), "-N", "-f", str(site.write("squid.conf", text))])]


EQUIPMENT = (
    Equipment(
        name="squid",
        source=Debian(("squid",), ("squid",)),
        doors=("proxy", "proxy-basic", "proxy-negotiate"),
        start=start,
        version=lambda site: [found("squid"), "-v"],
        idle={"proxy": IDLE},
    ),
)
