"""Patterns that JavaScript surely compiles, and those that it may not."""

from __future__ import annotations

import pytest

from bridge.features.schema_patterns import is_pattern


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z0-9_-]{1,64}$", r"^\d{4}-\d{2}-\d{2}$", r"^https?://\S+", r"(?:a|b)+?", r"\u00e9", "(?<!a)b", "", "é"],
)
def test_what_both_languages_know_is_a_pattern(pattern: str) -> None:
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(", "[a", r"\-", r"(?P<a>b)", "(?i)a", "a{", "a++", "*", r"\Z", r"\p{L}", "(?#c)", "[[a]", "x" * 3000, "{" * 500],
)
def test_what_only_one_of_them_knows_is_in_doubt(pattern: str) -> None:
    assert not is_pattern(pattern)
