"""Which addresses a server may lead to, by where it was reached. Names are looked up in a table; nothing is connected.

`HOSTILE` is what a hostile server would like asked or opened; its columns say who may lead there all the same.
"""

import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

import pytest

from bridge.login.address_guard import AddressGuard
from bridge.login.network import ProxyAddress
from bridge.oauth.errors import MetadataError, Unreachable

pytestmark = pytest.mark.anyio

SERVER = "https://mcp.example/mcp"
WHAT = "token endpoint"

NAMES = {
    "mcp.example": ["8.8.8.8"],
    "as.example": ["1.1.1.1", "2606:4700::1"],
    "printer": ["192.168.0.9"],
    "nas.local": ["192.168.0.10"],
    "store.internal": ["10.3.3.3"],
    "loop.example": ["127.0.0.1"],
    "mixed.example": ["8.8.4.4", "127.0.0.1"],
    "mixed-six.example": ["2606:4700::2", "::1"],
    "home.example": ["10.0.0.7"],
    "half-home.example": ["8.8.4.4", "10.0.0.7"],
    "metadata.example": ["169.254.169.254"],
    "tailnet.example": ["100.64.0.3", "fd7a:115c:a1e0::3"],
    "fake.example": ["198.18.0.44"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "translated.example": ["64:ff9b::a9fe:a9fe"],
}

# Who may lead there: a server whose URL names this machine (m), one that was reached at a private address (p), a shared
# one (s), a public one (-). With --allow-private, all of them may lead to what is marked +.
HOSTILE = {
    "https://127.0.0.1/x": "m",
    "https://127.0.0.1:8443/x": "m",
    "http://127.0.0.1:9000/admin": "m",
    "https://127.9.9.9/x": "m",
    "https://localhost/x": "m",
    "http://localhost:2375/containers/json": "m",
    "https://app.localhost/x": "m",
    "https://LOCALHOST./x": "m",
    "https://0.0.0.0/x": "m",
    "https://[::1]/x": "m",
    "https://[::]/x": "m",
    "https://[::ffff:127.0.0.1]/x": "m",
    "https://[::ffff:a9fe:a9fe]/x": "m",
    "https://[64:ff9b::7f00:1]/x": "m",
    "https://[64:ff9b:1::7f00:1]/x": "m",
    "https://[2002:7f00:1::]/x": "m",
    "https://169.254.169.254/latest/meta-data": "m",
    "https://[fe80::1]/x": "m",
    "https://[fd00:ec2::254]/latest/meta-data": "m",
    "https://100.100.100.200/latest/meta-data": "m",
    "https://metadata.example/x": "m",
    "https://loop.example/x": "m",
    "https://mixed.example/x": "m",
    "https://mixed-six.example/x": "m",
    "https://mapped.example/x": "m",
    "https://translated.example/x": "m",
    "https://10.0.0.1/x": "mp+",
    "https://172.16.5.5/x": "mp+",
    "https://192.168.1.1/x": "mp+",
    "https://[fd12:3456::1]/x": "mp+",
    "https://[::ffff:10.0.0.1]/x": "mp+",
    "https://home.example/x": "mp+",
    "https://half-home.example/x": "mp+",
    "https://printer/x": "mp+",
    "https://nas.local/x": "mp+",
    "https://store.internal/x": "mp+",
    "https://100.64.0.3/x": "ms+",
    "https://tailnet.example/x": "ms+",
    "https://198.18.0.44/x": "m+",
    "https://fake.example/x": "m+",
    "https://224.0.0.1/x": "",
    "https://255.255.255.255/x": "",
    "https://192.0.2.1/x": "",
    "https://[ff02::1]/x": "",
    "https://[2001:db8::1]/x": "",
}

SERVERS = {
    "m": ("http://localhost:8000/mcp", "127.0.0.1"),
    "p": ("https://mcp.example/mcp", "10.0.0.5"),
    "s": ("https://mcp.example/mcp", "100.64.0.5"),
    "-": ("https://mcp.example/mcp", "8.8.8.8"),
}


class NameService:
    """A network that answers from a table; a name's answers come in turn, the last of them from then on.

    `problem` is raised by each lookup instead. The hosts in `proxied` are reached through a proxy.
    """

    connect_timeout = 30.0

    def __init__(self, **changing: list[list[str]]) -> None:
        self.asked: list[str] = []
        self.problem: Exception | None = None
        self.proxied: frozenset[str | None] = frozenset()
        self._changing = {name.replace("_", "."): answers for name, answers in changing.items()}

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if self.problem:
            raise self.problem
        if answers := self._changing.get(host):
            return answers.pop(0) if len(answers) > 1 else answers[0]
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return NAMES[host]

    def proxy_for(self, url: str) -> ProxyAddress | None:
        return ("http://proxy.example:3128", None) if urlsplit(url).hostname in self.proxied else None

    def unused_proxy(self, url: str) -> str:
        return ""

    def tls(self, own_origin: bool) -> ssl.SSLContext:
        raise AssertionError("the guard opens no connection")


def guard_of(
    url: str = SERVER,
    refused_at: str | None = "8.8.8.8",
    *,
    names: NameService | None = None,
    proxied: Iterable[str | None] = (),
    allow_private: bool = False,
    kept: str | None = None,
) -> AddressGuard:
    network = names or NameService()
    network.proxied = frozenset(proxied)
    return AddressGuard(url, network, allow_private=allow_private, refused_at=refused_at, kept=kept)


async def found(guard: AddressGuard, url: str) -> list[str]:
    return await guard.addresses(urlsplit(url), WHAT)


async def is_open(guard: AddressGuard, url: str) -> bool:
    try:
        return bool(await found(guard, url))
    except MetadataError as problem:
        if not problem.message.endswith(". Nothing was sent there."):
            raise
        return False


# -- a table


@pytest.mark.parametrize("server", list(SERVERS))
async def test_what_a_server_leads_to_is_open_by_where_it_was_reached(server: str) -> None:
    opened = {url: await is_open(guard_of(*SERVERS[server]), url) for url in HOSTILE}
    assert opened == {url: server in allowed for url, allowed in HOSTILE.items()}


@pytest.mark.parametrize("server", ["p", "s", "-"])
async def test_what_the_user_allows_opens_networks_and_never_this_machine(server: str) -> None:
    opened = {url: await is_open(guard_of(*SERVERS[server], allow_private=True), url) for url in HOSTILE}
    assert opened == {url: "+" in allowed for url, allowed in HOSTILE.items()}


@pytest.mark.parametrize("server", list(SERVERS))
@pytest.mark.parametrize("url", ["https://as.example/x", "https://8.8.4.4/x", "https://[2606:4700::1]/x"])
async def test_public_addresses_are_open_to_all(url: str, server: str) -> None:
    assert await is_open(guard_of(*SERVERS[server]), url)


@pytest.mark.parametrize("url", ["https://127.0.0.1/mcp", "https://[::1]/mcp", "https://a.localhost/mcp"])
async def test_a_url_names_this_machine_in_many_ways(url: str) -> None:
    assert await is_open(guard_of(url, "127.0.0.1"), "https://127.0.0.1:9/x")


# -- the server's own reach


async def test_the_servers_name_is_not_looked_up_to_judge_others() -> None:
    names = NameService(mcp_example=[["8.8.8.8", "10.0.0.5", "127.0.0.1"]])
    guard = guard_of(names=names)
    for url in ("https://10.0.0.1/x", "https://127.0.0.1/x", "https://home.example/x"):
        assert not await is_open(guard, url)
    assert "mcp.example" not in names.asked


@pytest.mark.parametrize("later", [["127.0.0.1"], ["10.0.0.5"], ["8.8.8.8", "127.0.0.1"]])
async def test_what_the_servers_name_becomes_later_opens_nothing(later: list[str]) -> None:
    guard = guard_of(names=NameService(mcp_example=[later]))
    guard.answered(urlsplit("https://mcp.example/token"), later[-1])
    for url in ("https://10.0.0.1/x", "https://127.0.0.1/x", "https://home.example/x", "https://loop.example/x"):
        assert not await is_open(guard, url)


@pytest.mark.parametrize("changed", ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.5", "100.64.0.1", "0.0.0.0"])
async def test_a_public_servers_own_origin_cannot_move_inside(changed: str) -> None:
    guard = guard_of(names=NameService(mcp_example=[["8.8.8.8"], [changed]]))
    assert await found(guard, "https://mcp.example/.well-known/x") == ["8.8.8.8"]
    assert not await is_open(guard, "https://mcp.example/.well-known/x")


async def test_addresses_of_the_own_origin_that_are_not_open_are_left_out() -> None:
    mixed = ["127.0.0.1", "8.8.8.8", "10.0.0.5", "2606:4700::5"]
    guard = guard_of(names=NameService(mcp_example=[mixed]))
    assert await found(guard, "https://mcp.example/.well-known/x") == ["8.8.8.8", "2606:4700::5"]
    assert await found(guard, "https://mcp.example:8443/token") == ["8.8.8.8", "2606:4700::5"]


@pytest.mark.parametrize("at", ["127.0.0.1", "169.254.7.7", "192.0.2.7"])
async def test_a_server_that_was_reached_there_may_be_asked_there_and_leads_no_further(at: str) -> None:
    guard = guard_of("https://dev.test/mcp", at, names=NameService(dev_test=[[at]]))
    assert await found(guard, "https://dev.test/.well-known/x") == [at]
    assert not await is_open(guard, f"https://{at}/x")
    assert not await is_open(guard, "https://dev.test:8443/x")


async def test_where_nothing_was_refused_yet_the_first_answer_of_the_own_origin_counts() -> None:
    guard = guard_of(refused_at=None, names=NameService(mcp_example=[["10.0.0.5", "8.8.8.8"]]))
    own = urlsplit("https://mcp.example/mcp")
    assert not await is_open(guard, "https://10.0.0.1/x")
    assert await guard.addresses(own, WHAT) == ["10.0.0.5", "8.8.8.8"]
    guard.answered(urlsplit("https://as.example/x"), "127.0.0.1")  # Another's is no answer of the server.
    guard.answered(own, "8.8.8.8")
    guard.answered(own, "10.0.0.5")
    assert await guard.addresses(own, WHAT) == ["8.8.8.8"]
    assert not await is_open(guard, "https://10.0.0.1/x")
    assert guard.reach == "public"


async def test_before_that_a_name_with_a_public_address_is_not_asked_on_this_machine() -> None:
    mixed = ["127.0.0.1", "169.254.169.254", "8.8.8.8", "::1", "10.0.0.5"]
    guard = guard_of(refused_at=None, names=NameService(mcp_example=[mixed]))
    assert await found(guard, "https://mcp.example/mcp") == ["8.8.8.8", "10.0.0.5"]


# -- a proxy


async def test_a_refusal_through_a_proxy_is_judged_by_the_url() -> None:
    guard = guard_of(refused_at="", proxied=["mcp.example", "as.example"])
    assert await found(guard, "https://as.example/x") == []
    assert await found(guard, "https://mcp.example/x") == []
    assert not await is_open(guard, "https://10.0.0.1/x")
    assert guard.reach == ""


@pytest.mark.parametrize("url", ["https://printer/mcp", "https://mcp.corp/mcp", "https://10.0.0.5/mcp"])
async def test_a_url_that_is_private_by_its_form_is_so_behind_a_proxy(url: str) -> None:
    host = urlsplit(url).hostname or ""
    guard = guard_of(url, "", proxied=[host])
    assert await is_open(guard, "https://10.0.0.1/x")
    assert not await is_open(guard, "https://127.0.0.1/x")


@pytest.mark.parametrize("host", ["10.0.0.2", "printer", "nas.local", "[::1]"])
async def test_a_proxy_is_not_asked_for_what_is_inside_by_its_form(host: str) -> None:
    names = NameService()
    guard = guard_of(names=names, proxied=[host.strip("[]")])
    with pytest.raises(MetadataError):
        await found(guard, f"https://{host}/x")
    assert names.asked == []


# -- a record


@pytest.mark.parametrize(
    ("kept", "url", "expected"),
    [
        ("private", "https://10.0.0.1/x", True),
        ("private", "https://127.0.0.1/x", False),
        ("public", "https://10.0.0.1/x", False),
        ("shared", "https://100.64.0.3/x", True),
        ("public", "https://as.example/x", True),
        ("later", "https://10.0.0.1/x", False),
    ],
)
async def test_what_a_record_says_counts_where_tokens_are_renewed(kept: str, url: str, expected: bool) -> None:
    assert await is_open(guard_of(refused_at=None, kept=kept), url) is expected


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [(["10.0.0.5"], True), (["10.0.0.5", "192.168.0.1"], True), (["8.8.8.8", "10.0.0.5"], False), ([], False)],
)
async def test_an_older_record_is_private_only_where_all_addresses_are(addresses: list[str], expected: bool) -> None:
    names = NameService(mcp_example=[addresses]) if addresses else NameService(mcp_example=[[]])
    assert await is_open(guard_of(refused_at=None, kept="", names=names), "https://10.0.0.1/x") is expected


@pytest.mark.parametrize("kept", ["public", "private", ""])
async def test_where_tokens_are_renewed_the_server_may_have_moved_into_the_users_network(kept: str) -> None:
    names = NameService(mcp_example=[["10.0.0.5"]])
    guard = guard_of(refused_at=None, kept=kept, names=names)
    assert await found(guard, "https://mcp.example/token") == ["10.0.0.5"]
    assert names.asked == ["mcp.example"]


@pytest.mark.parametrize("kept", ["public", "private"])
async def test_but_not_to_this_machine(kept: str) -> None:
    guard = guard_of(refused_at=None, kept=kept, names=NameService(mcp_example=[["127.0.0.1"]]))
    assert not await is_open(guard, "https://mcp.example/token")


@pytest.mark.parametrize(
    ("at", "reach"), [("8.8.8.8", "public"), ("10.0.0.5", "private"), ("127.0.0.1", "loopback"), ("", "")]
)
async def test_the_reach_is_told_for_the_record(at: str, reach: str) -> None:
    assert guard_of(refused_at=at).reach == reach


# -- names


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "LOCALHOST."])
async def test_this_machines_own_names_are_not_looked_up(host: str) -> None:
    names = NameService()
    assert await found(guard_of(*SERVERS["m"], names=names), f"https://{host}/x") == ["127.0.0.1", "::1"]
    assert names.asked == []


async def test_a_name_is_looked_up_once_and_all_of_its_addresses_are_judged() -> None:
    names = NameService(far_example=[["8.8.4.4"] * 3 + ["1.1.1.1", "9.9.9.9"], ["127.0.0.1"]])
    assert await found(guard_of(names=names), "https://far.example/x") == ["8.8.4.4", "1.1.1.1", "9.9.9.9"]
    assert names.asked == ["far.example"]
    many = [f"8.8.8.{number}" for number in range(20)]
    late = NameService(far_example=[[*many, "127.0.0.1"]])
    assert not await is_open(guard_of(names=late), "https://far.example/x")
    assert len(await found(guard_of(names=NameService(far_example=[many])), "https://far.example/x")) < 20


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "the name far.example cannot be resolved"),
        (UnicodeError("label too long"), "the name far.example cannot be resolved"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "DNS did not respond for far.example"),
        (TimeoutError("silent"), "DNS did not respond for far.example"),
    ],
)
async def test_a_name_that_cannot_be_looked_up(problem: Exception, says: str) -> None:
    names = NameService()
    names.problem = problem
    guard = guard_of(names=names)
    with pytest.raises(Unreachable) as caught:
        await found(guard, "https://far.example/x")
    assert caught.value.message == f"Cannot reach the {WHAT} https://far.example/x: {says}."


# -- what is told


@pytest.mark.parametrize(
    ("url", "says", "hint"),
    [
        ("https://home.example/x?secret", "leads to 10.0.0.7, which is a private address", "pass --allow-private"),
        ("https://mixed.example/x", "leads to 127.0.0.1, which is a loopback", "--allow-private does not change"),
        ("https://169.254.169.254/x", "which is a link-local address", "--allow-private does not change"),
        ("https://tailnet.example/x", "leads to 100.64.0.3, which is a shared address", "pass --allow-private"),
        ("https://224.0.0.1/x", "which is not the address of a host", "tell the server's operator"),
    ],
)
async def test_it_is_told_what_was_refused_and_what_helps(url: str, says: str, hint: str) -> None:
    with pytest.raises(MetadataError) as caught:
        await found(guard_of(), url)
    assert says in caught.value.message
    assert caught.value.message.endswith("but the MCP server is at a public address. Nothing was sent there.")
    assert "secret" not in caught.value.message
    assert hint in caught.value.hint
