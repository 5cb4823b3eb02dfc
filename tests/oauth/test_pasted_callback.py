"""Text that the user pastes: which query is found in it, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.oauth.callback import Granted, read_callback
from bridge.oauth.pasted_callback import MAX_PASTED, query_of_pasted

QUERY = "code=planted-code&state=planted-state"
URL = f"http://localhost:51234/callback?{QUERY}"


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"  {URL}\n",
        f"'{URL}'",
        f'"{URL}"',
        f" \u201c{URL}\u201d ",
        f"<{URL}>",
        f"{URL}#",
        f"{URL}#_=_",
        f"http://[::1]:51234/callback?{QUERY}",
        f"http://127.0.0.1:51234/callback?{QUERY}",
        f"localhost:51234/callback?{QUERY}",
        f"/callback?{QUERY}",
        f"?{QUERY}",
        QUERY,
        f"&{QUERY}&",
        URL.replace("&", "&amp;"),
        URL.replace("?", "\\?").replace("=", "\\=").replace("&", "\\&"),
        f"{URL[:30]}\r\n{URL[30:50]}\n  {URL[50:]}",
    ],
    ids=lambda text: ascii(text).replace("planted-", ""),
)
def test_the_query_is_found_however_it_is_pasted(text: str) -> None:
    assert query_of_pasted(text) == QUERY


def test_what_is_found_is_what_the_callback_reads() -> None:
    query = query_of_pasted(f"'{URL}&iss=https%3A%2F%2Fas.example'\n")
    answer = read_callback(query, state="planted-state", issuer="https://as.example", iss_supported=True)
    assert answer == Granted("planted-code")


def test_a_refusal_is_an_answer_too() -> None:
    query = "error=access_denied&error_description=The+user+said+no&state=s"
    assert query_of_pasted(f"http://localhost:1/callback?{query}") == query


def test_an_answer_may_hold_what_a_request_holds() -> None:
    query = f"{QUERY}&client_id=c1&scope=a%20b"
    assert query_of_pasted(f"http://localhost:1/callback?{query}") == query


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Nothing was pasted."),
        (" \n'' ", "Nothing was pasted."),
        ("#code=planted-code", "Nothing was pasted."),
        ("planted-code", "The pasted text has no state"),
        ("code=planted-code", "The pasted text has no state"),
        ("http://localhost:1/callback?code=planted-code", "The pasted text has no state"),
        ("http://localhost:1/callback?code=planted-code&state=", "The pasted text has no state"),
        ("http://localhost:1/callback", "The pasted text is not the answer"),
        ("http://localhost:1/callback?", "The pasted text is not the answer"),
        ("http://localhost:1/callback?state=planted-state", "The pasted text is not the answer"),
        ("http://localhost:1/callback?code=&state=planted-state", "The pasted text is not the answer"),
        ("https://as.example/in?response_type=code&client_id=c1&state=planted-state", "The pasted text is the link"),
        ("https://as.example/in?client_id=c1&request_uri=urn:planted-code", "The pasted text is the link"),
        ("https://as.example/in?client_id=c1&code_challenge=x&state=planted-state", "The pasted text is the link"),
        ("x" * (MAX_PASTED + 1), "The pasted text has more than 16 KB"),
        ("?" + "&".join(f"a{number}=1" for number in range(200)), "The pasted text is not the answer"),
    ],
    ids=range(16),
)
def test_anything_else_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        query_of_pasted(text)
    assert refused.value.message.startswith(says)
    assert "planted" not in str(refused.value)
    assert "whole address" in refused.value.hint


@given(st.text(max_size=200) | st.text(alphabet="?&=#code state'\"\\\n%/:", max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        query = query_of_pasted(text)
    except UsageError:
        return
    assert "=" in query
    assert not set(query) & set(" \n\\#")
