"""The command `status`: for people and for programs, with real processes and with rows made by hand."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.cli import status as status_module
from bridge.cli.status import as_object, lines_of
from bridge.errors import UsageError
from bridge.inventory.host_entries import Entry, HostEntries
from bridge.inventory.overview import SignInRow, UnderWay
from bridge.inventory.running_instances import RunningInstance
from bridge.login.channel_messages import LoginStatus
from bridge.oauth.record import encode, tokens_key
from bridge.store.file import PrivateFiles
from bridge.store.response_files import Summary
from bridge.tokens.login_files import Notice
from bridge.tokens.stored_sign_in import Stored
from tests.cli.config_files import write_file
from tests.oauth.samples import ACCESS_TOKEN, ID_TOKEN, REFRESH_TOKEN, SERVER_URL, client, record
from tests.support.oauth.site import LOGIN, Site
from tests.support.process.bridge_command import run_command, start_command
from tests.support.process.login_processes import logins_of

pytestmark = pytest.mark.anyio

NOW = 1_000_000.0
LINK = "https://as.example/in?state=s1&client_id=c"
COPY = RunningInstance(4711, NOW, "Claude", ("planted",), {"MCP_BRIDGE_HEADER": "planted"})
NOTICE = Notice(store_key="login-0", pid=7, port=1, key="planted", server=SERVER_URL, profile="default", since=NOW)


def full(**changes: Any) -> SignInRow:
    stored = record(
        **{
            "profile": "work",
            "scope": "read write",
            "issued_at": NOW,
            "expires_at": NOW + 7200,
            "id_token": ID_TOKEN,
            "client": client(secret="planted"),
            **changes,
        }
    )
    login_status = LoginStatus(phase="waiting", url=LINK, user_code="ABCD", warnings=("It moved.",), ends_at=NOW + 90)
    place = Stored("tokens-0", "the system keyring", stored)
    return SignInRow("tokens-0", SERVER_URL, "work", place, "anna@example.com", UnderWay(NOTICE, login_status), [COPY])


def test_a_link_comes_with_what_is_to_be_read_before_it() -> None:
    row = full()
    assert row.login is not None
    login_status = msgspec.structs.replace(row.login.login_status, warnings=("It moved.", "It is at another site."))
    lines = lines_of(dataclasses.replace(row, login=dataclasses.replace(row.login, login_status=login_status)), NOW)
    told = [line[18:] for line in lines if line[:18].strip() == "warning"]
    assert told == ["It moved.", "It is at another site."]


def test_a_row_tells_a_person_all_there_is() -> None:
    head, *rest = lines_of(full(), NOW)
    assert head == f"{SERVER_URL} (profile work)"
    facts = {line[:18].strip(): line[18:] for line in rest}
    assert facts["signed in as"] == "anna@example.com"
    assert facts["scopes"] == "read write"
    assert facts["token"].startswith("expires in 2 hours (")
    assert facts["token"].endswith("renewed automatically")
    assert facts["stored in"] == "the system keyring"
    assert facts["signing in"] == "process 7, 1:30 left, code ABCD"
    assert facts["link"] == LINK
    assert facts["running"].startswith("process 4711, started by Claude, since ")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expires_at": NOW - 60}, "expired 1 minute ago"),
        ({"expires_at": None}, "has no known expiry, renewed automatically"),
        ({"expires_at": 1e300, "refresh_token": ""}, "expires in more than 100 years"),
        ({"access_token": ""}, "signed in       no"),
        ({"scope": None, "asked": "asked for"}, "asked for"),
    ],
    ids=["expired", "open-ended", "far", "cleared", "scopes-asked"],
)
def test_the_state_of_the_token_is_told_in_words(changes: dict[str, Any], says: str) -> None:
    assert says in "\n".join(lines_of(full(**changes), NOW))


def test_what_is_kept_of_a_servers_answers_is_counted() -> None:
    row = full()
    assert not any("stored answers" in line for line in lines_of(row, NOW))
    row.kept = Summary(12, 34_567, NOW - 7200, NOW - 60)
    assert "  stored answers  12, 35 kB, from 2 hours to 1 minute ago" in lines_of(row, NOW)
    assert as_object(row)["cache"] == {"results": 12, "bytes": 34_567, "oldest": NOW - 7200, "newest": NOW - 60}
    assert as_object(full())["cache"] == {"results": 0, "bytes": 0, "oldest": None, "newest": None}


def test_an_account_that_is_not_named_is_signed_in_all_the_same() -> None:
    row = full()
    row.who = ""
    said = lines_of(row, NOW)
    assert "  signed in       yes (the server does not tell the account)" in said
    assert not any("signed in as" in line for line in said)


def test_a_row_without_a_record_says_why() -> None:
    row = SignInRow("tokens-0", "", "", Stored("tokens-0", "the system keyring", problem="It is locked."))
    said = "\n".join(lines_of(row, NOW))
    assert "cannot be read" in said
    assert "It is locked." in said
    assert as_object(row)["problem"] == "It is locked."


@pytest.mark.parametrize("show", [lambda row: "\n".join(lines_of(row, NOW)), lambda row: json.dumps(as_object(row))])
def test_no_secret_is_shown(show: Any) -> None:
    said = show(full())
    assert not [secret for secret in (ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN, "planted") if secret in said]


def test_a_servers_words_can_not_restyle_the_terminal() -> None:
    row = full(scope="a\x1b[2Jb")
    row.server = f"{SERVER_URL}?api_key=planted-key"
    said = "\n".join(lines_of(row, NOW))
    assert "\x1b" not in said
    assert "planted-key" not in said


def test_what_stands_in_a_copys_words_can_not_restyle_the_terminal() -> None:
    row = full()
    row.profile = "a\x1b[2Jb"
    row.login = UnderWay(NOTICE, LoginStatus(phase="waiting", url=f"{LINK}\x1b[2J", ends_at=NOW))
    said = "\n".join(lines_of(row, NOW))
    assert "\x1b" not in said
    assert LINK in said


def test_a_key_in_the_url_is_not_shown_to_programs_either() -> None:
    row = full()
    row.server = f"{SERVER_URL}?api_key=planted-key"
    row.stored = Stored("tokens-0", "the system keyring", problem="It said ?code=planted-code&x=1.")
    said = json.dumps(as_object(row))
    assert "planted" not in said
    assert SERVER_URL in said


def test_the_names_for_programs_stay() -> None:
    made = as_object(full())
    assert made == {
        "server": SERVER_URL,
        "profile": "work",
        "signed_in": True,
        "signed_in_as": "anna@example.com",
        "belongs_to": None,
        "issuer": "https://as.example",
        "client_id": "c1",
        "scopes": ["read", "write"],
        "expires_at": NOW + 7200,
        "renewable": True,
        "kept_in": "the system keyring",
        "problem": None,
        "cache": {"results": 0, "bytes": 0, "oldest": None, "newest": None},
        "login": {
            "pid": 7,
            "since": NOW,
            "phase": "waiting",
            "warnings": ["It moved."],
            "link": LINK,
            "code": "ABCD",
            "ends_at": NOW + 90,
        },
        "copies": [{"pid": 4711, "since": NOW, "host": "Claude"}],
    }
    assert set(as_object(SignInRow("tokens-0"))) == set(made)


def test_a_profile_says_to_which_account_it_belongs() -> None:
    row = full()
    assert row.stored is not None
    assert row.stored.record is not None
    record = msgspec.structs.replace(row.stored.record, subject="id:1", user="anna@example.com")
    row.stored = dataclasses.replace(row.stored, record=record)
    account = "anna@example.com (at https://as.example)"
    assert as_object(row)["belongs_to"] == account
    assert f"belongs to      {account}" in "\n".join(lines_of(row, NOW))


# -- as a process


async def servers(site: Site) -> list[dict[str, Any]]:
    """What status tells of this site; other bridges of the machine are seen too."""
    code, said = await run_command(site, "status", "--json")
    assert code == 0, said
    return [row for row in json.loads(said)["servers"] if row["server"] == site.server.url]


async def test_what_is_stored_what_waits_and_what_runs_is_listed() -> None:
    async with Site() as site:
        assert await servers(site) == []
        async with start_command(site, "login", site.server.url, "--no-browser") as login:
            await login.says(site.authority.url("authorize"), LOGIN)
            [row] = await servers(site)
            [process] = logins_of(site.person)
            assert row["signed_in"] is False
            assert row["login"]["pid"] == process.pid
            assert row["login"]["link"] in login.said.split()
            code, said = await run_command(site, "login", site.server.url)
            assert code == 0, said
        async with site.bridge(as_program=True) as host:
            await site.begin(host)
            [row] = await servers(site)
            assert row["signed_in"] is True
            assert host.process.pid in [instance["pid"] for instance in row["copies"]]
            assert row["login"] is None
            code, said = await run_command(site, "status")
            assert code == 0
            assert f"process {host.process.pid}, started by " in said


async def test_a_broken_configuration_is_a_note(tmp_path: Path) -> None:
    async with Site() as site:
        folder = site.person.home / ".cursor"
        folder.mkdir()
        (folder / "mcp.json").write_text("{")
        async with start_command(site, "status", "--json") as status:
            status.close_stdin()
            assert await status.wait() == 0, status.said
            [note] = json.loads(status.out)["notes"]
        assert "Cursor" in note


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folders of Linux")
async def test_a_name_that_a_pipe_has_no_letters_for_is_escaped() -> None:
    async with Site() as site:
        env = {"PYTHONIOENCODING": "cp1252", "XDG_DATA_HOME": str(site.person.home / "\u0434\u0430\u0442\u0430")}
        files = PrivateFiles(site.person.home / "\u0434\u0430\u0442\u0430" / "mcp-remote-bridge" / "credentials")
        files.write(f"{tokens_key(SERVER_URL, '', '', 'default')}.secret", encode(record(expires_at=None)))
        code, said = await run_command(site, "status", env=env)
        assert code == 0, said
        assert "\\u0434\\u0430" in said


# -- one server


OTHER = "https://other.example.com/mcp"


def shown(name: str, config: Path | None = None) -> list[str]:
    rows = [SignInRow("tokens-0", SERVER_URL, "work"), SignInRow("tokens-1", OTHER, "default"), SignInRow("tokens-2")]
    entry = Entry("Cursor", Path("x"), "entry", ("--profile", "x", OTHER), {})
    return [row.server for row in status_module._of_server(name, rows, HostEntries((entry,), ()), config)]


def test_one_server_is_shown_by_its_url_its_name_or_its_host(tmp_path: Path) -> None:
    path = write_file(tmp_path, {"mine": {"url": OTHER, "header": {"X": "keyring:not-stored"}}})
    assert shown(OTHER) == [OTHER]
    assert shown("mine", path) == [OTHER]
    assert shown("entry", path) == [OTHER]
    assert shown("other", path) == [OTHER]
    assert shown("https://nowhere.example/mcp") == []
    with pytest.raises(UsageError, match=r"No server is called 'nothing'\. Known names: mine, entry \(Cursor\), "):
        shown("nothing", path)
