"""Which server a name means."""

from pathlib import Path

import pytest

from bridge.errors import UsageError
from bridge.inventory.host_entries import Entry, OtherEntry
from bridge.inventory.server_names import (
    KnownServer,
    ambiguous,
    elsewhere,
    entries_named,
    known_from,
    known_named,
    unknown,
)
from bridge.oauth.record import tokens_key
from bridge.tokens.typed_command import spelled, typed_for
from tests.oauth.samples import SERVER_URL, client, record


def entry(name: str, host: str = "Cursor") -> Entry:
    return Entry(host, Path("/x"), name, (), {})


def known(server: str, profile: str = "default") -> KnownServer:
    return KnownServer(tokens_key(server, "", "", profile), server, profile, {"profile": profile})


LINEAR = known("https://mcp.linear.app/mcp")
LINEAR_AT_WORK = known("https://mcp.linear.app/mcp", "work")
NOTION = known("https://mcp.notion.com/mcp")
LOCAL = known("http://127.0.0.1:8000/mcp")


def test_an_entry_is_found_by_its_exact_name() -> None:
    entries = [entry("linear"), entry("Linear"), entry("linear", "Zed")]
    assert entries_named("linear", entries) == [entries[0], entries[2]]
    assert entries_named("lin", entries) == []


@pytest.mark.parametrize("name", ["mcp.linear.app", "linear", "LINEAR", "app"])
def test_a_sign_in_is_found_by_its_host_or_a_label_of_it(name: str) -> None:
    assert known_named(name, [LINEAR, NOTION, LOCAL], {}) is LINEAR


@pytest.mark.parametrize("name", ["line", "linear.app", "https", "", "0"])
def test_a_part_of_a_label_is_no_name(name: str) -> None:
    assert known_named(name, [LINEAR, NOTION, LOCAL], {}) is None


def test_an_address_is_a_name_only_as_a_whole() -> None:
    assert known_named("127.0.0.1", [LINEAR, LOCAL], {}) is LOCAL
    assert known_named("127", [LINEAR, LOCAL], {}) is None


def test_a_label_of_several_servers_is_ambiguous_and_they_are_listed() -> None:
    with pytest.raises(UsageError) as raised:
        known_named("mcp", [LINEAR, NOTION], {})
    assert LINEAR.server in str(raised.value)
    assert NOTION.server in str(raised.value)


@pytest.mark.parametrize(
    ("profile", "candidates", "expected"),
    [
        ("work", [LINEAR, LINEAR_AT_WORK], LINEAR_AT_WORK),
        ("default", [LINEAR, LINEAR_AT_WORK], LINEAR),
        (None, [LINEAR, LINEAR_AT_WORK], LINEAR),
        (None, [LINEAR_AT_WORK], LINEAR_AT_WORK),
        ("home", [LINEAR_AT_WORK], LINEAR_AT_WORK),
    ],
    ids=["asked", "default-asked", "none-asked", "only-one", "another-of-one"],
)
def test_among_profiles_the_asked_one_counts(
    profile: str | None, candidates: list[KnownServer], expected: KnownServer
) -> None:
    given = {} if profile is None else {"profile": profile}
    assert known_named("linear", candidates, given) is expected


def test_profiles_without_the_usual_one_are_ambiguous() -> None:
    with pytest.raises(UsageError, match="--profile work"):
        known_named("linear", [LINEAR_AT_WORK, known(LINEAR.server, "home")], {})


def test_sign_ins_that_differ_in_their_client_are_told_with_it_and_chosen_by_it() -> None:
    server = LINEAR.server
    one, two = (
        KnownServer(f"tokens-{name}", server, "default", {"profile": "default", "client_id": name}) for name in "12"
    )
    with pytest.raises(UsageError) as raised:
        known_named("linear", [one, two], {})
    login = f"mcp-remote-bridge login {server} --client-id"
    assert f"{login} 1; {login} 2." in str(raised.value)
    assert known_named("linear", [one, two], {"client_id": "2"}) is two


def test_options_are_spelled_as_they_are_typed() -> None:
    assert spelled({"profile": None, "client_id": None, "resource": None}) == ""
    assert spelled({"resource": "none", "profile": "work"}) == "--profile work --resource none"
    assert spelled({"profile": "default", "client_id": "a&b"}) == '--profile default --client-id "a&b"'
    assert typed_for("login", "a b", {"profile": "default", "client_id": "c"}) == 'login "a b" --client-id c'
    issuer = {"client_id": "mine", "issuer": "https://as.example/"}
    assert spelled(issuer) == "--client-id mine --issuer https://as.example/"


@pytest.mark.parametrize("resource", [None, "https://mcp.example/other", "none"])
@pytest.mark.parametrize("kind", ["dynamic", "static", "document"])
def test_a_record_tells_the_options_that_lead_to_its_slot_again(resource: str | None, kind: str) -> None:
    given = "" if kind == "dynamic" else "c1"
    store_key = tokens_key(SERVER_URL, given, resource or "", "work")
    stored = record(
        profile="work", client=client(kind=kind), resource=None if resource == "none" else resource or SERVER_URL
    )
    found = known_from(store_key, stored)
    options = found.options
    again = tokens_key(
        found.server,
        options.get("client_id") or options.get("client_metadata_url") or "",
        options["resource"] or "",
        options["profile"] or "",
    )
    assert again == store_key == found.store_key
    assert set(options) <= {"profile", "client_id", "client_metadata_url", "resource"}


def test_a_slot_that_no_option_leads_to_keeps_its_name() -> None:
    found = known_from("tokens-0123456789abcdef", record())
    assert found.store_key == "tokens-0123456789abcdef"
    assert "resource" not in found.options


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    said = str(unknown("x\n", [entry("linear")], [NOTION]))
    assert "linear (Cursor)" in said
    assert "mcp.notion.com" in said
    assert "\n" not in said
    assert "give the URL" in str(unknown("x", [], []))


@pytest.mark.parametrize(
    ("program", "url", "says"),
    [
        (
            "",
            SERVER_URL,
            (
                f"is a server that Cursor connects to directly, without this bridge. To use the bridge for it, run: "
                f"mcp-remote-bridge login {SERVER_URL} ; and to make the entry one of the bridge: "
                "mcp-remote-bridge migrate --remote"
            ),
        ),
        (
            "mcp-remote",
            "https://h/mcp?a=b&c=d",
            (
                "runs mcp-remote, not this bridge. To use the bridge for it, run: "
                'mcp-remote-bridge login "https://h/mcp?a=b&c=d" ; and to make the entry one of the bridge: '
                "mcp-remote-bridge migrate"
            ),
        ),
        (
            "node",
            "",
            (
                "runs node, not this bridge. If it is for a remote server, give that server's URL: "
                "mcp-remote-bridge login URL"
            ),
        ),
    ],
    ids=["by-itself", "mcp-remote", "another-program"],
)
def test_an_entry_that_does_not_run_the_bridge_is_told_with_what_to_type(program: str, url: str, says: str) -> None:
    said = str(elsewhere("n", OtherEntry("Cursor", Path("/x.json"), "n", program, url)))
    assert said.startswith(f"'n' in the configuration of Cursor ({Path('/x.json')}) {says}")


def test_a_list_has_an_end() -> None:
    said = str(ambiguous("x", [f"https://{number}.example" for number in range(1000)]))
    assert "and 980 more" in said
    assert len(said) < 2000
