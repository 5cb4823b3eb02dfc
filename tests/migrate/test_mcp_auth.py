"""What is read of mcp-remote's folders."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from bridge.migrate.mcp_auth import config_folder, find_sign_in
from bridge.migrate.mcp_remote_hash import HashedServer, default_port, digests, newest_digest
from tests.migrate.mcp_remote_files import write_sign_in

URL = "https://mcp.example/mcp"
TOKENS = {"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-1", "scope": "a"}
CLIENT = {
    "redirect_uris": ["http://localhost:4711/oauth/callback"],
    "client_id": "made",
    "client_secret": "hush",
    "token_endpoint_auth_method": "client_secret_post",
    "client_secret_expires_at": 0,
}
DIGEST = hashlib.md5(URL.encode()).hexdigest()


def test_a_server_without_options_has_one_digest_in_all_versions() -> None:
    assert digests(HashedServer(URL)) == (DIGEST,)


def test_the_digests_are_those_of_each_version() -> None:
    server = HashedServer(
        URL,
        resource="https://r.example/",
        authorize_params={"b": "2", "a": "1"},
        headers={"X-Ü": "é", "Authorization": "Bearer ${T}"},
        client_metadata_url="https://c.example/x",
    )
    headers = '{"Authorization":"Bearer ${T}","X-Ü":"é"}'
    texts = [
        f'{URL}|https://r.example/|{{"a":"1","b":"2"}}|{headers}|https://c.example/x',
        f'{URL}|https://r.example/|{{"a":"1","b":"2"}}|{headers}',
        f"{URL}|https://r.example/|{headers}",
        URL,
    ]

    assert digests(server) == tuple(hashlib.md5(text.encode()).hexdigest() for text in texts)
    assert newest_digest(server) == digests(server)[0]


def test_the_port_of_the_callback_is_that_of_mcp_remote() -> None:
    assert default_port("0000aaaa") == 3335
    assert default_port("ffff0000") == 3335 + 0xFFFF % 45816


def test_the_folder_is_in_the_home_or_where_the_variable_says(tmp_path: Path) -> None:
    assert config_folder({}, tmp_path) == tmp_path / ".mcp-auth"
    assert config_folder({"MCP_REMOTE_CONFIG_DIR": "/elsewhere"}, tmp_path) == Path("/elsewhere")


@pytest.mark.parametrize("version", ["", "mcp-remote-0.0.22", "mcp-remote-0.1.38", "mcp-remote-v1"])
def test_a_sign_in_of_every_version_is_found(tmp_path: Path, version: str) -> None:
    path = write_sign_in(tmp_path, DIGEST, TOKENS, CLIENT, version=version, written_at=1000)

    found = find_sign_in(tmp_path, ["0" * 32, DIGEST])

    assert found is not None
    assert (found.path, found.access_token, found.refresh_token, found.scope) == (path, "at-1", "rt-1", "a")
    assert (found.written_at, found.expires_at, found.issuer, found.asked) == (1000, 4600, "", "")
    assert found.registration is not None
    assert found.registration.redirect_uri == "http://localhost:4711/oauth/callback"
    assert (found.registration.auth_method, found.registration.secret_expires_at) == ("client_secret_post", None)
    assert set(found.secrets()) == {"at-1", "rt-1", "hush"}
    assert not any(secret in f"{found!r}{found.registration!r}" for secret in found.secrets())


def test_what_later_versions_write_is_read(tmp_path: Path) -> None:
    tokens = TOKENS | {"expires_at": 5_000_000, "requested_scope": "a b", "issuer": "https://as.example", "x": 1}
    write_sign_in(tmp_path, DIGEST, tokens, version="mcp-remote-v1", written_at=1000)

    found = find_sign_in(tmp_path, [DIGEST])

    assert found is not None
    assert (found.expires_at, found.asked, found.issuer, found.registration) == (
        *(5000, "a b", "https://as.example", None),
    )


def test_of_several_versions_the_last_that_wrote_counts(tmp_path: Path) -> None:
    for version, token, written_at in (("0.1.9", "old", 10), ("0.1.38", "new", 30), ("v1", "middle", 20)):
        tokens = TOKENS | {"refresh_token": token}
        write_sign_in(tmp_path, DIGEST, tokens, version=f"mcp-remote-{version}", written_at=written_at)

    found = find_sign_in(tmp_path, [DIGEST])

    assert found is not None
    assert found.refresh_token == "new"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"refresh_token": "rt"}',
        b'{"access_token": 5}',
        b'{"access_token": "a\\nb"}',
        b'{"access_token": "a", "refresh_token": "\\u00e9"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"access_token": "a", "x": "' + b"y" * 2_000_000 + b'"}',
    ],
)
def test_tokens_that_are_not_as_mcp_remote_writes_them_are_no_sign_in(tmp_path: Path, content: bytes) -> None:
    write_sign_in(tmp_path, DIGEST, {}).write_bytes(content)

    assert find_sign_in(tmp_path, [DIGEST]) is None


@pytest.mark.parametrize("client", [{"client_id": 5}, {"client_id": ""}, {"client_id": "a\u0000"}, {}])
def test_a_client_that_cannot_be_used_is_left_out(tmp_path: Path, client: dict[str, object]) -> None:
    write_sign_in(tmp_path, DIGEST, TOKENS, client)

    found = find_sign_in(tmp_path, [DIGEST])

    assert found is not None
    assert found.registration is None


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "mcp-remote-v1" / f"{DIGEST}_tokens.json").mkdir(parents=True)
    (tmp_path / "mcp-remote-file").write_text("")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / f"{DIGEST}_tokens.json")

    assert find_sign_in(tmp_path, [DIGEST]) is None
    assert find_sign_in(tmp_path / "missing", [DIGEST]) is None


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = write_sign_in(tmp_path, DIGEST, TOKENS, CLIENT, written_at=1000)

    find_sign_in(tmp_path, [DIGEST])

    assert json.loads(path.read_text()) == TOKENS
    assert path.stat().st_mtime == 1000
    assert sorted(one.name for one in tmp_path.rglob("*")) == [
        f"{DIGEST}_client_info.json",
        f"{DIGEST}_tokens.json",
        "mcp-remote-0.1.38",
    ]
