"""Which authorization server a client belongs to (MCP, Client Registration, Authorization Server Binding)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.issuer_binding import (
    Binding,
    Issuers,
    binding_error,
    binding_of,
    decode_issuers,
    encode_issuers,
    first_use_notice,
    issuers_key,
    issuers_to_try,
    new_issuer_warning,
    shell_safe,
    wrong_issuer,
)
from tests.oauth.samples import client, record

SERVER = "https://mcp.example/mcp"
ONE, TWO, NEW = "https://one.example", "https://two.example", "https://new.example"
FORGET = "mcp-remote-bridge logout https://mcp.example/mcp --client-id mine --registration"


def bound(issuer: str = ONE) -> Binding:
    return binding_of(None, "mine", Issuers(clients={"mine": issuer}), None)


@pytest.mark.parametrize(
    ("option", "client_id", "kept", "previous", "issuer", "source"),
    [
        (NEW, "mine", Issuers(clients={"mine": ONE}), TWO, NEW, "option"),
        (NEW, None, Issuers(last=ONE), TWO, NEW, "option"),
        (None, "mine", Issuers(clients={"mine": ONE}), TWO, ONE, "kept"),
        (None, "mine", Issuers(), TWO, TWO, "kept"),
        (None, "mine", Issuers(clients={"another": ONE}, last=ONE), None, "", ""),
        (None, None, Issuers(clients={"mine": ONE}, last=ONE), TWO, "", ""),
    ],
    ids=["option", "option-registered", "first-use", "record", "another-client", "registered"],
)
def test_what_the_user_says_counts_first_then_the_first_use_then_the_record(
    option: str | None, client_id: str | None, kept: Issuers, previous: str | None, issuer: str, source: str
) -> None:
    last = record(issuer=previous, client=client(client_id="mine", kind="static")) if previous else None
    binding = binding_of(option, client_id, kept, last)
    assert (binding.issuer, binding.source) == (issuer, source)


def test_the_record_of_another_client_binds_nothing() -> None:
    last = record(issuer=ONE, client=client(client_id="mine", kind="dynamic"))
    assert binding_of(None, "mine", Issuers(), last).issuer == ""


def test_the_bound_one_is_tried_wherever_it_stands_and_no_other() -> None:
    assert issuers_to_try(bound(TWO), (ONE, TWO, NEW)) == (TWO,)
    assert issuers_to_try(bound(TWO), (ONE, NEW)) == ()


def test_where_nothing_is_bound_the_last_one_comes_first() -> None:
    assert issuers_to_try(Binding(before=TWO), (ONE, TWO, NEW)) == (TWO, ONE, NEW)
    assert issuers_to_try(Binding(before="https://gone.example"), (ONE, TWO)) == (ONE, TWO)
    assert issuers_to_try(Binding(), (ONE, TWO)) == (ONE, TWO)


@pytest.mark.parametrize("other", [f"{ONE}/", "https://ONE.example", f"{ONE}:443", "http://one.example", f"{ONE}/a"])
def test_issuers_are_compared_as_strings(other: str) -> None:
    assert issuers_to_try(bound(), (other,)) == ()
    assert wrong_issuer(bound(), other) is not None
    said = binding_error(bound(), (other,), SERVER, FORGET).message
    assert other in said
    assert ("the slash at the end counts" in said) == (other == f"{ONE}/")


def test_the_refusal_names_both_and_what_to_type() -> None:
    kept = binding_error(bound(), (NEW, TWO), SERVER, FORGET)
    for words in (SERVER, ONE, NEW, TWO, "mine"):
        assert words in kept.message
    assert f"--issuer {NEW}" in kept.hint
    assert FORGET in kept.hint
    option = binding_error(binding_of(ONE, "mine", Issuers(), None), (NEW,), SERVER, FORGET)
    for words in (SERVER, ONE, NEW, "--issuer"):
        assert words in option.message
    assert f"--issuer {NEW}" in option.hint
    assert "logout" not in option.hint, "that would change nothing"


@pytest.mark.parametrize("hostile", [f"https://x.example/{end}" for end in ("$(id)", "`id`", ";id", "a b", "'", "|")])
def test_what_a_shell_might_run_is_not_offered_to_be_typed(hostile: str) -> None:
    assert shell_safe(hostile) == "URL"
    assert f"--issuer {hostile}" not in binding_error(bound(), (hostile,), SERVER, FORGET).hint


def test_a_long_issuer_does_not_fill_the_message() -> None:
    long = f"https://x.example/{'y' * 100_000}"
    assert len(str(binding_error(bound(), (long,) * 50, SERVER, FORGET))) < 2500
    assert len(new_issuer_warning(Binding(before=ONE), long, SERVER)) < 700


def test_a_move_is_told_with_both() -> None:
    told = new_issuer_warning(Binding(before=ONE), TWO, SERVER)
    for words in (SERVER, ONE, TWO):
        assert words in told
    assert new_issuer_warning(Binding(before=ONE), ONE, SERVER) == ""
    assert new_issuer_warning(Binding(), ONE, SERVER) == ""


def test_a_move_that_the_user_ordered_is_not_told() -> None:
    assert new_issuer_warning(binding_of(TWO, None, Issuers(last=ONE), None), TWO, SERVER) == ""


def test_the_first_use_of_a_client_is_told_and_only_that() -> None:
    first = Binding(client_id="mine")
    for words in ("The secret of the client mine", ONE, SERVER, f"--issuer {ONE}"):
        assert words in first_use_notice(first, ONE, SERVER, has_secret=True)
    assert "secret" not in first_use_notice(first, ONE, SERVER, has_secret=False)
    assert first_use_notice(bound(), ONE, SERVER, has_secret=True) == ""
    assert first_use_notice(Binding(), ONE, SERVER, has_secret=False) == ""


def test_tokens_of_another_issuer_are_held_back() -> None:
    problem = wrong_issuer(bound(TWO), ONE)
    assert problem is not None
    for words in (ONE, TWO, "mine"):
        assert words in problem.message
    assert wrong_issuer(bound(ONE), ONE) is None
    assert wrong_issuer(Binding(before=TWO), ONE) is None


def test_what_is_kept_is_read_again() -> None:
    issuers = Issuers(last=TWO).bound("mine", ONE).bound("other", TWO)
    assert decode_issuers(encode_issuers(issuers)) == issuers
    assert issuers.without("mine") == Issuers(clients={"other": TWO})
    assert issuers.without(None) == Issuers(clients=issuers.clients)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"[" * 5000, b"\xff", b'{"format":2}', b'{"clients":{"a":1}}'])
def test_what_is_damaged_is_none(damaged: bytes) -> None:
    assert decode_issuers(damaged) is None


@given(st.text(), st.text())
def test_each_server_and_profile_has_its_own_place(server: str, profile: str) -> None:
    store_key = issuers_key(server, profile)
    assert store_key != issuers_key(server, f"{profile}x")
    assert store_key != issuers_key(f"{server}x", profile)


def test_a_long_issuer_pushes_nothing_out_of_a_warning() -> None:
    long = f"{NEW}/{'a' * 2000}"
    for issuer, before in ((long, ONE), (ONE, long)):
        told = new_issuer_warning(Binding(before=before), issuer, SERVER)
        assert len(told) < 400
        assert ONE in told
        assert told.endswith("Continue only if you know why.")


def test_an_issuer_in_a_refusal_is_short() -> None:
    long = f"{NEW}/{'a' * 2000}"
    problem = binding_error(bound(), (long,) * 5, SERVER, FORGET)
    assert len(problem.message) < 1200
    assert f"--issuer URL, or forget the old one with: {FORGET}" in problem.hint
