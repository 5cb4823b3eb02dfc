"""The settings of signing in: what is accepted, what is refused, and that no refusal shows a secret."""

import math
from typing import Any

import pytest

from bridge.config import ClientSecret, SignInSettings, check_metadata_url, client_secret_in, parse_authorize_param
from bridge.config.secret_reference import SecretReference
from bridge.config.signing_in import OWNED_PARAMETERS
from bridge.errors import UsageError

SECRET = "s3cr3t-value"
DOCUMENT = "https://app.example/mcp/client.json"


def refusal(**wrong: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        SignInSettings(**wrong)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"client_id": "abc"},
        {"client_id": "https://app.example/client.json?x=1", "client_secret": "with space"},
        {"client_metadata_url": DOCUMENT},
        {"scope": "files:read https://www.googleapis.com/auth/drive"},
        {"scope": ""},
        {"resource": "none"},
        {"resource": "https://mcp.example"},
        {"resource": "HTTPS://MCP.example/%41/"},
        {"resource": "api://6731de76-14a6-49ae-97bc-6eba6914391e"},
        {"resource": "urn:example:mcp"},
        {"callback_port": 1},
        {"callback_port": 65535},
        {"callback_host": "127.0.0.1"},
        {"callback_host": "[::1]"},
        {"callback_path": "/"},
        {"callback_path": "/oauth/callback/v1.0..x"},
        {"login_timeout": 0.5},
        {"token_store": "memory"},
        {"profile": "jane.doe+work@example.com"},
        {"profile": "x" * 64},
    ],
)
def test_good_settings_are_kept_as_they_are(given: dict[str, Any]) -> None:
    settings = SignInSettings(**given)
    assert {name: getattr(settings, name) for name in given} == given


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"client_id": ""}, "client id is empty"),
        ({"client_id": "a b"}, "client id"),
        ({"client_id": "a\nb"}, "client id"),
        ({"client_secret": SECRET}, "--client-id"),
        ({"scope": "a\tb"}, "scope"),
        ({"scope": 'a"b'}, "scope"),
        ({"scope": "é"}, "scope"),
        ({"resource": ""}, "absolute URI"),
        ({"resource": "mcp.example/mcp"}, "absolute URI"),
        ({"resource": "https://mcp.example/#x"}, "fragment"),
        ({"resource": "https://mcp.example/#"}, "fragment"),
        ({"resource": "https://mcp.example/a b"}, "absolute URI"),
        ({"resource": "https://[mcp.example/"}, "absolute URI"),
        ({"resource": "NONE"}, "'none'"),
        ({"callback_port": 0}, "between 1 and 65535"),
        ({"callback_port": -1}, "between 1 and 65535"),
        ({"callback_port": 65536}, "between 1 and 65535"),
        ({"login_timeout": 0.0}, "--login-timeout"),
        ({"login_timeout": -1.0}, "--login-timeout"),
        ({"login_timeout": math.inf}, "--login-timeout"),
        ({"login_timeout": math.nan}, "--login-timeout"),
        ({"token_store": "disk"}, "auto, keyring, file, memory"),
        ({"profile": ""}, "profile"),
        ({"profile": "-x"}, "profile"),
        ({"profile": ".."}, "profile"),
        ({"profile": "a/b"}, "profile"),
        ({"profile": "a\nb"}, "profile"),
        ({"profile": "x" * 65}, "profile"),
    ],
)
def test_a_bad_setting_is_refused_with_what_is_wrong(wrong: dict[str, Any], says: str) -> None:
    assert says in str(refusal(**wrong))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "0.0.0.0",
        "127.0.0.2",
        "127.999.0.1",
        "::",
        "[::]",
        "localhost.evil.example",
        "localhost:80",
        "a/b",
    ],
)
def test_the_callback_never_leaves_this_machine(host: str) -> None:
    """Only what is listened on: the browser would bring the code to anything else."""
    assert "localhost, 127.0.0.1 or [::1]" in refusal(callback_host=host).message


@pytest.mark.parametrize(
    "path", ["", "callback", "/call back", "/a?b", "/a#b", "/a%2e", "/a\r\nb", "/../a", "/a/..", "/./a", "/a\\b", "/é"]
)
def test_a_callback_path_is_one_that_a_browser_asks_for_unchanged(path: str) -> None:
    assert "callback path" in refusal(callback_path=path).message


def test_settings_do_not_show_their_secret() -> None:
    settings = SignInSettings(client_id="c", client_secret=SECRET, authorize_params=(("login_hint", SECRET),))
    assert SECRET not in f"{settings!r} {settings}"


# -- the client's metadata document


@pytest.mark.parametrize("url", [DOCUMENT, "https://app.example:8443/a?v=2", "https://[2001:db8::1]/client"])
def test_a_metadata_url_may_be_a_client_id(url: str) -> None:
    check_metadata_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example/client.json",
        "http://app.example/client.json",
        "http://localhost/client.json",
        "https://app.example",
        "https://app.example/",
        "https:///client.json",
        "https://app.example/client.json#",
        "https://app.example/client.json#x",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/%2E%2e/client.json",
        "https://me@app.example/client.json",
        "https://:pw@app.example/client.json",
        "https://@app.example/client.json",
        "https://app.example:0/client.json",
        "https://app.example:99999/client.json",
        "https://[app.example/client.json",
        "https://app.example/client json",
        "https://app.example/client.json\n",
        "https://bücher.example/client.json",
    ],
)
def test_a_url_that_cannot_be_a_client_id_is_refused(url: str) -> None:
    """Client ID Metadata Document, 3."""
    with pytest.raises(UsageError, match="client metadata URL"):
        check_metadata_url(url)
    refusal(client_metadata_url=url)


# -- the issuer


@pytest.mark.parametrize(
    "url",
    [
        "https://as.example",
        "https://as.example/",
        "https://as.example:8443/tenant",
        "http://localhost:8080",
        "http://127.0.0.1:1/x",
        "http://[::1]:8080/",
    ],
)
def test_an_issuer_is_kept_as_it_is(url: str) -> None:
    assert SignInSettings(issuer=url).issuer == url


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "as.example",
            "https://",
            "https:///x",
            "ftp://as.example",
            "https://as.example:0",
            "https://[as.example",
        ),
        *("http://as.example", "http://192.168.1.4", "https://as.example/?a", "https://as.example/x#y"),
        *("https://me@as.example", "https://as.example/a b", "https://as.example\n", "https://bücher.example"),
    ],
)
def test_a_url_that_is_no_issuer_is_refused(url: str) -> None:
    """RFC 8414 2."""
    with pytest.raises(UsageError, match="issuer"):
        SignInSettings(issuer=url)


# -- grants without a user


def test_a_program_needs_its_own_client_and_secret() -> None:
    for wrong in ({}, {"client_id": "c"}):
        refused = refusal(grant="client-credentials", **wrong)
        assert "--client-secret" in refused.hint
    settings = SignInSettings(grant="client-credentials", client_id="c", client_secret=SECRET)
    assert settings.grant_without_user == "client-credentials"
    assert SignInSettings(grant="device-code").grant_without_user == ""


def test_an_assertion_is_named_and_belongs_to_its_grant() -> None:
    good: dict[str, Any] = {"grant": "jwt-bearer", "client_id": "c", "assertion": "file:/run/token"}
    assert SignInSettings(**good).grant_without_user == "jwt-bearer"
    assert "belong together" in refusal(assertion="file:/run/token").message
    assert "belong together" in refusal(grant="jwt-bearer", client_id="c").message
    assert "--client-id" in refusal(grant="jwt-bearer", assertion="env:A").hint
    assert "file:PATH" in refusal(**{**good, "assertion": SECRET}).hint
    company: dict[str, Any] = {
        "grant": "id-jag",
        "client_id": "c",
        "idp_id_token": "file:/run/id",
        "idp_token_endpoint": "https://idp.example/token",
        "idp_client_id": "b",
    }
    assert SignInSettings(**company).grant_without_user == "id-jag"
    assert "belong together" in refusal(**{**company, "idp_client_id": None}).message
    assert "token endpoint" in refusal(**{**company, "idp_token_endpoint": "http://idp.example"}).message


def test_a_token_endpoint_is_for_a_grant_without_a_user() -> None:
    url = "https://as.example/token?tenant=1"
    program: dict[str, Any] = {"grant": "client-credentials", "client_id": "c", "client_secret": SECRET}
    assert SignInSettings(token_endpoint=url, **program).token_endpoint == url
    assert "--grant client-credentials" in refusal(token_endpoint=url).hint
    for bad in ("as.example/token", "http://as.example/token", "https://me@as.example/token", "https://as.example/#x"):
        assert "token endpoint" in refusal(token_endpoint=bad, **program).message


# -- the secret


def given(text: str, *, in_arguments: bool = True) -> ClientSecret:
    return client_secret_in(text, "--client-secret", in_arguments=in_arguments)


@pytest.mark.parametrize("in_arguments", [True, False])
@pytest.mark.parametrize("text", ["env:MY_SECRET", "file:/a b", "keyring:a", "cmd:a b c", "env:"])
def test_a_reference_is_taken_without_a_warning(text: str, in_arguments: bool) -> None:
    value, warning = given(text, in_arguments=in_arguments)
    assert isinstance(value, SecretReference)
    assert (value.text, warning) == (text, "")


def test_a_bare_secret_is_taken_with_a_warning_that_does_not_hold_it() -> None:
    value, warning = given(SECRET)
    assert value == SECRET
    assert "Other programs can read the secret" in warning
    assert "keyring:NAME" in warning
    assert SECRET not in warning


@pytest.mark.parametrize("text", [SECRET, f"  {SECRET}\n", "a:b", "https://x", "ENV", "Env:X", " env:X"])
def test_a_bare_secret_in_the_variable_needs_no_warning(text: str) -> None:
    assert given(text, in_arguments=False) == (text.strip(), "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        (f"{SECRET}\x07", "has a character that is not allowed there"),
        (f"{SECRET}\n{SECRET}", "has a character that is not allowed there"),
        (f"{SECRET}é", "has a character that is not allowed there"),
        ("${input:secret}", "did not replace"),
        (f"{SECRET}${{X}}", "did not replace"),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_without_it(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        given(text)
    assert "--client-secret" in str(caught.value)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


# -- parameters of the authorization request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompt=consent", ("prompt", "consent")),
        ("audience=https://api.example/?a=b&c", ("audience", "https://api.example/?a=b&c")),
        (" acr_values =x y", ("acr_values", "x y")),
        ("flag=", ("flag", "")),
        ("urn:x.y-z=1", ("urn:x.y-z", "1")),
        ("login_hint=zoë", ("login_hint", "zoë")),
    ],
)
def test_an_authorize_parameter_is_read(text: str, expected: tuple[str, str]) -> None:
    assert parse_authorize_param(text) == expected


@pytest.mark.parametrize("text", ["", "=", "=x", "prompt", SECRET, f"a b={SECRET}", f"a&state={SECRET}", f"é={SECRET}"])
def test_what_is_no_parameter_is_refused_unseen(text: str) -> None:
    with pytest.raises(UsageError, match="name=value") as caught:
        parse_authorize_param(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [f"{SECRET}\n", f"\x1b{SECRET}", f"{SECRET}\udcff", f"{SECRET}\0"])
def test_a_value_that_is_no_text_is_refused_unseen(value: str) -> None:
    with pytest.raises(UsageError, match="prompt") as caught:
        parse_authorize_param(f"prompt={value}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", sorted(OWNED_PARAMETERS))
def test_what_the_flow_sets_is_not_the_users(name: str) -> None:
    for spelling in (name, name.upper(), f" {name}"):
        with pytest.raises(UsageError, match=r"The bridge sets the header|sets the authorize parameter") as caught:
            parse_authorize_param(f"{spelling}={SECRET}")
        assert SECRET not in str(caught.value)


def test_the_flow_owns_all_that_its_safety_rests_on() -> None:
    names = "response_type client_id redirect_uri state scope resource code_challenge code_challenge_method request"
    secrets = "client_secret code code_verifier grant_type"
    assert {*names.split(), *secrets.split(), "request_uri", "response_mode"} <= OWNED_PARAMETERS


@pytest.mark.parametrize("name", ["scope", "resource", "client_id"])
def test_the_option_to_use_instead_is_named(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_authorize_param(f"{name}=x")
    assert f"--{name.replace('_', '-')}" in caught.value.hint
