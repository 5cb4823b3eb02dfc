"""What the flags of other bridges become."""

import base64
import json
import re
import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.option_table import FLAG, OPTIONS
from bridge.migrate.flag_tables import TABLES
from bridge.migrate.old_commands import translate
from bridge.migrate.old_programs import NPM_PROGRAMS, OldCommand, Program
from bridge.migrate.translation import Translation
from tests.support.examples import examples
from tests.support.process.node import require_package

URL = "https://mcp.example/mcp"
KINDS = {row.name: row.kind for row in OPTIONS}


def turned(
    program: Program,
    line: str,
    environ: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    platform: str = "linux",
) -> Translation:
    def read(path: str) -> str:
        try:
            return (files or {})[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return translate(OldCommand(program, tuple(shlex.split(line))), environ or {}, read, platform)


def words(translation: Translation) -> list[str]:
    assert translation.refusals == ()
    references = [f"keyring:secret-{number}" for number, _ in enumerate(translation.secrets, start=1)]
    return list(translation.with_references(references))


MCP_REMOTE = {
    "--ignore-tool 'delete*'": "--ignore-tool 'delete*'",
    "": "",
    "--header 'X-Team: blue'": "--header 'X-Team: blue'",
    "--header Authorization:${AUTH}": "--header Authorization:${AUTH}",
    "--header 'Authorization: Bearer ${AUTH}'": "--header 'Authorization: Bearer ${AUTH}'",
    "--header 'Authorization: Bearer abc'": "--header Authorization:keyring:secret-1",
    "--header 'X-A: 1' --header 'x-a: 2'": "--header 'x-a: 2'",
    "--header 'Authorization: Bearer $AUTH'": "--header 'Authorization: Bearer $AUTH'",
    "--header 'X-Mode: cmd:run this'": "--header X-Mode:keyring:secret-1",
    "--header-file /etc/headers": "--header-file /etc/headers",
    "--allow-http": "--allow-http",
    "--transport http-only": "--transport http",
    "--transport sse-only": "--transport sse",
    "--transport http-first": "",
    "--transport sse-first": "",
    "--transport nonsense": "",
    "--protocol legacy": "--protocol legacy",
    "--protocol auto": "",
    "--debug --silent": "--log-level debug --silent",
    "--connect-timeout 30": "--connect-timeout 30",
    "--auth-timeout 60 --auth-timeout 90": "--login-timeout 60",
    "--host 127.0.0.1": "--callback-host 127.0.0.1",
    "--callback-path /cb": "--callback-path /cb",
    "--resource https://mcp.example/": "--resource https://mcp.example/",
    "--resource ''": "--resource none",
    "--disable-resource-parameter": "--resource none",
    "--resource https://a.example --disable-resource-parameter": "--resource none",
    "--authorize-param audience=https://api.example --authorize-param prompt=consent": (
        "--authorize-param audience=https://api.example --authorize-param prompt=consent"
    ),
    "--authorize-param scope=read": "--scope read",
    "--device-code": "--grant device-code",
    "--use-id-token": "--use-id-token",
    "--enable-proxy --ipv4 --keep-alive --ping-interval 5 --body-timeout 0 --headers-timeout 9": "",
    "--auth-success-url https://done.example/": "",
    '--static-oauth-client-metadata \'{"scope":"a b","client_uri":"https://x.example"}\'': "--scope 'a b'",
    "--static-oauth-client-metadata @/etc/metadata.json": "--scope 'from file'",
    "--client-credentials --token-endpoint https://as.example/token": (
        "--grant client-credentials --token-endpoint https://as.example/token"
    ),
    "9696": "--callback-port 9696 --callback-path /oauth/callback",
    "9696 --host [::1] --callback-path /cb": "--callback-host '[::1]' --callback-path /cb --callback-port 9696",
}


@pytest.mark.parametrize(("theirs", "ours"), MCP_REMOTE.items())
def test_each_flag_of_mcp_remote_becomes_ours(theirs: str, ours: str) -> None:
    files = {"/etc/metadata.json": '{"scope": "from file"}'}

    assert words(turned("mcp-remote", f"{URL} {theirs}", files=files)) == [URL, *shlex.split(ours)]


@pytest.mark.parametrize(
    "flags",
    [
        "--disable-cookies",
        "--host callback.example",
        "--help",
        "--unheard-of",
        "--header",
        "--header 'no colon'",
        "--authorize-param state=x",
        "--authorize-param novalue",
        "--static-oauth-client-info '{}'",
        "--static-oauth-client-info 'not json'",
        "--static-oauth-client-info '[1]'",
        "--static-oauth-client-info '{\"client_id\": 5}'",
        '--static-oauth-client-info \'{"client_id": "${ID}"}\'',
        '--static-oauth-client-info \'{"client_id": "a", "client_secret": "x-${S}"}\'',
        "--static-oauth-client-info @/not/there.json",
        '--static-oauth-client-metadata \'{"client_name": "Other"}\'',
    ],
)
def test_what_has_no_counterpart_is_refused_in_a_sentence(flags: str) -> None:
    [refusal] = turned("mcp-remote", f"{URL} {flags}").refusals

    assert re.fullmatch(r".*\w.*\.", refusal)


def test_a_client_of_the_users_keeps_the_redirect_uri_that_mcp_remote_used() -> None:
    info = json.dumps({"client_id": "mine", "client_secret": "hush-hush"})

    found = turned("mcp-remote", f"{URL} --static-oauth-client-info {shlex.quote(info)}")
    windows = turned("mcp-remote", f"{URL} --static-oauth-client-info {shlex.quote(info)}", platform="win32")

    # MD5 of the URL begins with e4d5: 3335 + 0xe4d5 % 45816.
    port = words(found)[words(found).index("--callback-port") + 1]
    assert words(found) == [
        *(URL, "--client-id", "mine", "--client-secret", "keyring:secret-1"),
        *("--callback-port", port, "--callback-path", "/oauth/callback"),
    ]
    assert words(windows)[-6:] == [
        *("--callback-port", port, "--callback-host", "127.0.0.1", "--callback-path", "/oauth/callback")
    ]
    assert any(f"http://localhost:{port}/oauth/callback" in row.note for row in found.turned)
    assert not any("hush-hush" in f"{row}" for row in found.turned)
    assert "hush-hush" not in repr(found)


@pytest.mark.parametrize("inline", [True, False])
def test_a_clients_secret_in_a_variable_stays_there(inline: bool) -> None:
    info = '{"client_id": "${ID}", "client_secret": "${SECRET}"}'
    value = shlex.quote(info) if inline else "@/etc/info.json"

    found = turned(
        "mcp-remote",
        f"{URL} 3334 --static-oauth-client-info {value}",
        environ={"ID": "mine", "SECRET": "hush-hush"},
        files={"/etc/info.json": info},
    )

    assert words(found)[1:5] == ["--client-id", "mine", "--client-secret", "env:SECRET"]
    assert found.secrets == ()


def test_the_headers_of_a_file_count_for_the_name_of_what_mcp_remote_keeps() -> None:
    files = {"/etc/headers": "# mine\nX-Team:  blue\nno header\n\nX-B: ${B}\n"}

    found = turned("mcp-remote", f"{URL} --header 'X-A: 1' --header-file /etc/headers", files=files)

    assert found.hashed is not None
    assert found.hashed.headers == {"X-A": "1", "X-Team": "blue", "X-B": "${B}"}


def test_certificates_that_are_not_checked_have_no_counterpart() -> None:
    assert turned("mcp-remote", URL, {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}).refusals
    assert not turned("mcp-remote", URL, {"NODE_TLS_REJECT_UNAUTHORIZED": "1"}).refusals


def test_the_certificates_that_node_is_told_of_are_trusted_here_too() -> None:
    found = turned("mcp-remote", URL, {"NODE_EXTRA_CA_CERTS": "/etc/company.pem"})

    assert words(found) == [URL, "--ca-file", "/etc/company.pem"]


MCP_STDIO = {
    "": "",
    "-H 'X-Team: blue' --header=X-B:c": "--header 'X-Team: blue' --header X-B:c",
    "--bearer-token abc": "--header Authorization:keyring:secret-1",
    "--oauth --oauth-scope 'a b' --client-id mine": "--scope 'a b' --client-id mine",
    "--oauth-device": "--grant device-code",
    "--client-metadata-url https://c.example/x": "--client-metadata-url https://c.example/x",
    "--oauth-resource api://x": "--resource api://x",
    "--no-resource-indicator --oauth-use-id-token": "--resource none --use-id-token",
    "--oauth-timeout 10 --oauth-timeout 20": "--login-timeout 20",
    "--transport sse": "--transport sse",
    "--transport=streamable-http --protocol-era modern": "--transport http --protocol modern",
    "--protocol-era auto": "",
    "--timeout-connect 5 --timeout-read 60": "--connect-timeout 5 --request-timeout 60",
    "--mcp-param-headers modern --max-message-size 0 --oauth-eager --no-cancel-filter": "",
}


@pytest.mark.parametrize(("theirs", "ours"), MCP_STDIO.items())
def test_each_flag_of_mcp_stdio_becomes_ours(theirs: str, ours: str) -> None:
    assert words(turned("mcp-stdio", f"{theirs} {URL}")) == [URL, *shlex.split(ours)]


def test_what_mcp_stdio_reads_from_variables_becomes_options() -> None:
    environ = {"MCP_BEARER_TOKEN": "abc", "MCP_OAUTH_CLIENT_ID": "mine"}

    assert words(turned("mcp-stdio", URL, environ)) == [
        *(URL, "--header", "Authorization: Bearer ${MCP_BEARER_TOKEN}", "--client-id", "mine")
    ]
    assert words(turned("mcp-stdio", f"{URL} --oauth --client-id other", environ)) == [URL, "--client-id", "other"]


SUPERGATEWAY = {
    f"--streamableHttp {URL}": "--transport http",
    f"--sse={URL}": "--transport sse",
    f"--sse {URL} --header 'X-A: b' 'X-C: d'": "--transport sse --header 'X-A: b' --header 'X-C: d'",
    f"--sse {URL} --logLevel none": "--transport sse --silent",
    f"--sse {URL} --oauth2Bearer abc": "--transport sse --header Authorization:keyring:secret-1",
    f"--sse {URL} --outputTransport stdio --logLevel debug": "--transport sse --log-level debug",
    f"--sse {URL} --port 8000 --cors --healthEndpoint /a /b": "--transport sse",
}


@pytest.mark.parametrize(("theirs", "ours"), SUPERGATEWAY.items())
def test_each_flag_of_supergateway_becomes_ours(theirs: str, ours: str) -> None:
    assert words(turned("supergateway", theirs)) == [URL, *shlex.split(ours)]


MCP_PROXY = {
    "": "--transport sse",
    "--transport streamablehttp": "--transport http",
    "--transport sse -H X-Team blue": "--transport sse --header 'X-Team: blue'",
    "-H Authorization 'Bearer abc' --transport=sse": "--header Authorization:keyring:secret-1 --transport sse",
    "--transport sse --verify-ssl /etc/ca.pem": "--transport sse --ca-file /etc/ca.pem",
    "--transport sse --debug --verify-ssl": "--transport sse --log-level debug",
    "--transport sse --log-level WARNING -e A b --port 80": "--transport sse --log-level warning",
}


@pytest.mark.parametrize(("theirs", "ours"), MCP_PROXY.items())
def test_each_flag_of_mcp_proxy_becomes_ours(theirs: str, ours: str) -> None:
    assert words(turned("mcp-proxy", f"{theirs} {URL}")) == [URL, *shlex.split(ours)]


def test_a_user_and_a_password_become_a_header_of_basic_authentication() -> None:
    found = turned("mcp-proxy", f"--transport sse --username me --password hush {URL}")

    assert words(found) == [URL, "--transport", "sse", "--header", "Authorization:keyring:secret-1"]
    assert found.secrets[0].secret == f"Basic {base64.b64encode(b'me:hush').decode()}"


def test_what_mcp_proxy_reads_from_variables_becomes_options() -> None:
    found = turned("mcp-proxy", "", {"SSE_URL": URL, "API_ACCESS_TOKEN": "abc"})

    assert words(found) == [URL, "--header", "Authorization: Bearer ${API_ACCESS_TOKEN}", "--transport", "sse"]


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("mcp-proxy", f"--no-verify-ssl {URL}"),
        ("mcp-proxy", f"--verify-ssl=false {URL}"),
        ("mcp-proxy", f"--username me {URL}"),
        ("mcp-proxy", f"--username me --password ${{PW}} {URL}"),
        ("mcp-proxy", f"--username me --password x --digest {URL}"),
        ("mcp-proxy", f"--client-id a --client-secret b --token-url https://t.example {URL}"),
        ("mcp-proxy", "uvx mcp-server-fetch"),
        ("mcp-stdio", f"--mcp-param-headers always {URL}"),
        ("mcp-stdio", f"--check {URL}"),
        ("mcp-stdio", "serve ./program"),
        ("supergateway", "--stdio './server' --port 8000"),
        ("supergateway", f"--sse {URL} --outputTransport ws"),
        ("mcp-remote", ""),
        ("mcp-remote", "--debug"),
    ],
)
def test_a_command_that_is_no_client_or_has_no_counterpart_is_refused(program: Program, line: str) -> None:
    assert turned(program, line).refusals


def test_mcp_proxy_as_a_server_is_told_apart() -> None:
    assert "not told the URL" in turned("mcp-proxy", "uvx mcp-server-fetch").refusals[-1]


def test_the_table_has_every_flag_that_the_real_mcp_remote_looks_for() -> None:
    folder = require_package("mcp-remote", "dist/proxy.js").parent
    source = "".join(path.read_text() for path in folder.glob("chunk-*.js"))
    reader = source[source.index("function parseAuthorizeParams") : source.index("function getServerUrlHash")]
    looked_for = set(re.findall(r'"(--[a-z0-9-]+)"', reader)) - {"--"}

    assert len(looked_for) > 25
    assert looked_for - {name for row in TABLES["mcp-remote"].flags for name in row.names} == set()


@pytest.mark.parametrize("program", TABLES)
def test_no_flag_stands_in_a_table_twice_and_each_that_is_dropped_says_why(program: Program) -> None:
    rows = TABLES[program].flags
    names = [name for row in rows for name in row.names]

    assert len(names) == len(set(names))
    assert all(row.note for row in rows if row.rule in {"not-needed", "no-counterpart"})


def test_every_program_that_is_found_has_a_table() -> None:
    assert set(NPM_PROGRAMS) < set(TABLES)


_TEXT = st.text("abc XYZ:=${}'\"@/-é\n", max_size=12)


@given(data=st.data())
@examples(60)
def test_any_words_become_options_of_the_bridge_or_sentences(data: st.DataObject) -> None:
    program = data.draw(st.sampled_from(list(TABLES)))
    flags = [name for row in TABLES[program].flags for name in row.names]
    line = data.draw(st.lists(st.one_of(st.sampled_from([*flags, URL, "true", "9696"]), _TEXT), max_size=8))

    found = translate(OldCommand(program, tuple(line)), {}, lambda path: "{}", "linux")

    assert all(sentence.endswith(".") for sentence in found.refusals)
    if not found.refusals:
        assert found.with_references(["keyring:x"] * len(found.secrets))[0] == found.url
        assert all((option.value is None) == (KINDS[option.name] == FLAG) for option in found.options)


@given(value=st.text("abcdefgh0123456789", min_size=8, max_size=20), program=st.sampled_from(list(TABLES)))
@examples(30)
def test_no_secret_is_shown_or_written(value: str, program: Program) -> None:
    secret = f"zz{value}zz"
    lines = {
        "mcp-remote": [
            URL,
            "--header",
            f"Authorization: {secret}",
            "--static-oauth-client-info",
            json.dumps({"client_id": "a", "client_secret": secret}),
        ],
        "mcp-stdio": [URL, "--bearer-token", secret],
        "supergateway": ["--sse", URL, "--oauth2Bearer", secret],
        "mcp-proxy": [URL, "-H", "X-Api-Key", secret],
    }

    found = translate(OldCommand(program, tuple(lines[program])), {}, lambda path: "", "linux")

    assert all(secret in option.secret for option in found.secrets)
    assert found.secrets
    assert not any(secret in word for word in words(found))
    assert secret not in repr(found)
