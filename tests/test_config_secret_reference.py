"""References to secrets: which texts are one, and how the words of a command are split on each system."""

from typing import get_args

import pytest

from bridge.config import REFERENCES
from bridge.config.secret_reference import (
    MOST_CHARACTERS,
    Kind,
    SecretReference,
    SecretUnavailable,
    check_reference,
    check_secret_name,
    check_secret_value,
    command_words,
    is_secret_name,
    reference_in,
)
from bridge.errors import UsageError

SECRET = "hunter2-Zq4"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("keyring:github", SecretReference("keyring", "github")),
        ("env:TOKEN", SecretReference("env", "TOKEN")),
        ("file:C:\\a b", SecretReference("file", "C:\\a b")),
        ("cmd: op read x:y ", SecretReference("cmd", "op read x:y")),
        ("keyring:", SecretReference("keyring", "")),
        ("Keyring:github", None),
        (" env:TOKEN", None),
        ("Bearer env:TOKEN", None),
        ("keyring", None),
        ("https://env:x", None),
        ("", None),
    ],
)
def test_a_reference_is_the_whole_text(text: str, reference: SecretReference | None) -> None:
    assert reference_in(text) == reference


def test_each_kind_is_recognized_by_its_beginning() -> None:
    assert tuple(f"{kind}:" for kind in get_args(Kind)) == REFERENCES


@pytest.mark.parametrize("name", ["a", "github", "github-authorization", "0.A_b-c", "a" * 64])
def test_a_name_of_letters_digits_and_three_marks_is_one(name: str) -> None:
    assert is_secret_name(name)
    assert check_secret_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a\n", "é", "a" * 65, "Bearer hunter2-Zq4"])
def test_another_name_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_secret_name(name)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("keyring:", "without a name"),
        ("env:", "without a variable"),
        ("file: ", "without a path"),
        ("cmd:", "without a command"),
        (f"keyring:{SECRET}!", "cannot be a name"),
        (f"cmd:echo '{SECRET}", "cannot be split into words"),
        (f"cmd:'' {SECRET}", "cannot be split into words"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_without_its_text(text: str, says: str) -> None:
    reference = reference_in(text)
    assert reference is not None
    with pytest.raises(SecretUnavailable) as caught:
        check_reference(reference, "the header X", "linux")
    assert str(caught.value).startswith("The ")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert (caught.value.reference, caught.value.exit_code) == (reference, 2)


@pytest.mark.parametrize("text", ["keyring:a", "env:any thing", "file:x", "cmd:a 'b c'"])
def test_a_reference_that_may_lead_somewhere_is_taken(text: str) -> None:
    reference = reference_in(text)
    assert reference is not None
    check_reference(reference, "x", "linux")


def test_a_value_is_taken_without_blanks_at_its_ends() -> None:
    assert check_secret_value(" Bearer a\tb\r\n") == "Bearer a\tb"
    assert check_secret_value("x" * MOST_CHARACTERS) == "x" * MOST_CHARACTERS


@pytest.mark.parametrize("value", ["", " \n", f"{SECRET}\n{SECRET}", f"{SECRET}é", f"{SECRET}\0", SECRET * 2000])
def test_a_value_that_no_header_may_have_is_refused_unseen(value: str) -> None:
    with pytest.raises(UsageError, match="not stored") as caught:
        check_secret_value(value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pass show a/b", ["pass", "show", "a/b"]),
        ("op read 'op://v/a b/c'", ["op", "read", "op://v/a b/c"]),
        (r'"/a b/c" \"x', ["/a b/c", '"x']),
        ("echo $HOME; rm `x`", ["echo", "$HOME;", "rm", "`x`"]),
    ],
)
def test_words_are_split_as_a_posix_shell_does_without_expanding_anything(command: str, words: list[str]) -> None:
    for platform in ("linux", "darwin"):
        assert command_words(command, platform) == words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        # The examples of Microsoft, "Parsing C command-line arguments".
        ('p "a b c" d e', ["p", "a b c", "d", "e"]),
        (r'p "ab\"c" "\\" d', ["p", 'ab"c', "\\", "d"]),
        (r'p a\\\b d"e f"g h', ["p", r"a\\\b", "de fg", "h"]),
        (r"p a\\\"b c d", ["p", r"a\"b", "c", "d"]),
        (r'p a\\\\"b c" d e', ["p", r"a\\b c", "d", "e"]),
        ('p a"b"" c d"', ["p", 'ab" c d']),
        # A program's path keeps its backslashes, and spaces where it is in quotation marks.
        (r'"C:\Program Files\1Password CLI\op.exe" read "op://a b"',
         [r"C:\Program Files\1Password CLI\op.exe", "read", "op://a b"]),
        (r"  C:\bin\op.exe   read ", [r"C:\bin\op.exe", "read"]),
        ("p 'a b'", ["p", "'a", "b'"]),
        ('p "" x', ["p", "", "x"]),
        ("p a\tb", ["p", "a", "b"]),
        ("p é中", ["p", "é中"]),
        ("p", ["p"]),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_split_as_windows_does(command: str, words: list[str]) -> None:
    assert command_words(command, "win32") == words


def test_a_quotation_mark_that_is_not_closed_is_told_on_windows_too() -> None:
    with pytest.raises(ValueError, match="not closed"):
        command_words('p "a', "win32")
