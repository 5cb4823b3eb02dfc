"""A run by name: finds the server in the user's file.

`server_if_plain` is for a start, which reads no more than it needs and leaves every complaint to click. `server_named`
is for the rest. What is wrong in the objects of other servers does not stop a run.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bridge import PROGRAM
from bridge.cli.option_table import CONFIG_OPTION, CONFIG_VARIABLE
from bridge.cli.server_values import NamedServer, meant, mistakes_of_form, server_of
from bridge.config import Settings
from bridge.documents.reading import BrokenConfig
from bridge.errors import UsageError
from bridge.inventory.server_file import SERVERS, ServerFile, read_server_file, server_file_path

# As `tokens/typed_command.LOGIN_OPTIONS`, which a start does not import.
_TELLING = ("profile", "client_id", "client_metadata_url", "resource", "issuer")
_USUAL = {"profile": "default"}


def server_if_plain(name: str, config: Path | None, environ: Mapping[str, str]) -> NamedServer | None:
    """The server of this name; None where there is none, or anything in the file is not as it should be."""
    try:
        file = read_server_file(server_file_path(config, environ))
    except BrokenConfig:
        return None
    if file is None or file.has_duplicates or name not in file.servers:
        return None
    server, mistakes = server_of(file, name, environ)
    return None if mistakes or mistakes_of_form(file) else server


def server_named(name: str, config: Path | None, environ: Mapping[str, str]) -> NamedServer | None:
    """The server of this name; None where the file has none. Raises `UsageError`, with the place in the file."""
    from bridge.cli.config_check import mistakes_for, raise_for

    file = own_servers(config, environ)
    if file is None or name not in file.servers:
        return None
    raise_for(file, mistakes_for(file, name, environ))
    return server_of(file, name, environ)[0]


def with_name(
    settings: Settings, server: NamedServer, options: Mapping[str, Any], environ: Mapping[str, str]
) -> Settings:
    """The settings with the server's name, by which messages say what to type, where that leads to this sign-in.

    It does not where an option of the run leads to another one, or a shell would read the name as something else. A
    secret in a file that others can read is warned of.
    """
    if server.has_secrets and (warning := warning_of_readers(server.file.path)):
        settings = msgspec.structs.replace(settings, remarks=(*settings.remarks, warning))
    is_other = any(options.get(key) != server.options.get(key, _USUAL.get(key)) for key in _TELLING)
    if is_other or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]*", server.name):
        return settings
    is_usual = server.file.path == server_file_path(None, environ)
    file = "" if is_usual else str(server.file.path)
    return msgspec.structs.replace(settings, server_name=server.name, server_file=file)


def warning_of_readers(path: Path) -> str:
    """A warning where other users can read a file with a secret in it; empty where they cannot, or on Windows."""
    if sys.platform == "win32":
        return ""
    try:
        may_read = path.stat().st_mode & stat.S_IROTH and path.parent.stat().st_mode & stat.S_IXOTH
    except OSError:
        return ""
    if not may_read:
        return ""
    return (
        f"A secret is written in {path}, and other users can read that file. Write where the secret is, such as "
        f"keyring:NAME ({PROGRAM} secret set NAME stores one), or run: chmod 600 '{path}'"
    )


def refused(error: UsageError, server: NamedServer, environ: Mapping[str, str]) -> UsageError:
    """The error for settings that cannot be used, with the place in the file if it is there."""
    from bridge.cli.config_check import refusal_of

    return refusal_of(error, server.file, server.name, environ)


def own_path(config: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the user's file is, whether or not it exists. Raises `UsageError` where the user has no home."""
    path = server_file_path(config, environ)
    if path is None:
        raise UsageError(
            "You have no home folder, so you have no file of servers.", hint=f"Name one with {CONFIG_OPTION} FILE."
        )
    return path


def own_servers(config: Path | None, environ: Mapping[str, str]) -> ServerFile | None:
    """The user's file; None where it is missing, unless it was named. Raises `UsageError`."""
    from bridge.cli.config_check import broken

    path = server_file_path(config, environ)
    try:
        file = read_server_file(path)
    except BrokenConfig as why:
        raise broken(path, why) from None
    if file is None and config is not None:
        raise UsageError(f"The file {path} does not exist.", hint=f"{CONFIG_OPTION} or {CONFIG_VARIABLE} names it.")
    return file


def is_own_server(name: str, config: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether the file has a server of this name, or may have: it cannot be read."""
    try:
        file = read_server_file(server_file_path(config, environ))
    except BrokenConfig:
        return True
    return file is not None and name in file.servers


def unknown_server(error: UsageError, name: str, config: Path | None, environ: Mapping[str, str]) -> UsageError:
    """The error for a word that is no URL, no command and no server: with what the file has, if there is one."""
    file = own_servers(config, environ)
    if file is None:
        return error
    near = meant(name, list(file.servers))
    message = f"{error.message.removesuffix('.')}, and {SERVERS} in {file.path} has no server of that name."
    return UsageError(message, hint=near or error.hint)
