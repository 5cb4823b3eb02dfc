"""The user's named secrets, stored and found without an event loop."""

import os
from pathlib import Path

import pytest

from bridge.errors import UsageError
from bridge.process.user_secrets import free_name, has_secret, read_secret, remove_secret, save_secret, secret_names

SECRET = "hunter2-Zq4"


@pytest.fixture(autouse=True)
def _home(own_home: Path) -> None:
    """Secrets are stored in files below a folder of the test."""


def test_a_secret_is_stored_found_listed_and_removed() -> None:
    assert (secret_names(), has_secret("github"), read_secret("github")) == ([], False, None)
    notices: list[str] = []
    place = save_secret("github", SECRET, notice=notices.append)
    assert Path(place).is_file()
    assert len(notices) == 1
    assert "so the secret is stored in" in notices[0]
    assert (secret_names(), has_secret("github"), read_secret("github")) == (["github"], True, SECRET)
    save_secret("github", "another")
    assert read_secret("github") == "another"
    assert remove_secret("github")
    assert not remove_secret("github")
    assert (secret_names(), read_secret("github")) == ([], None)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_the_user_may_read_the_file() -> None:
    assert Path(save_secret("github", SECRET)).stat().st_mode & 0o077 == 0


def test_memory_would_not_outlive_the_command_so_another_place_is_used() -> None:
    save_secret("github", SECRET, choice="memory")
    assert read_secret("github") == SECRET


def test_a_free_name_is_made_of_any_text() -> None:
    assert free_name("github") == "github"
    save_secret("github", SECRET)
    save_secret("github-2", SECRET)
    assert free_name("github") == "github-3"
    assert free_name("../io.github.owner/server: Authorization ") == "io.github.owner-server-Authorization"
    assert free_name("…") == "secret"
    long = free_name("x" * 99)
    save_secret(long, SECRET)
    save_secret(free_name("x" * 99), SECRET)
    assert secret_names() == sorted(["github", "github-2", long, f"{long}-2"])


def test_a_name_that_cannot_be_one_is_refused() -> None:
    for use in (read_secret, remove_secret, has_secret, lambda name: save_secret(name, SECRET)):
        with pytest.raises(UsageError, match="cannot be the name"):
            use("a b")
