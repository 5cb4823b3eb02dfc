"""Reads the secrets to which the settings of a run refer (`config/secret_reference`).

| reference | read | when |
|---|---|---|
| `env:NAME` | the variable | first, so that what is named here is known not to be for commands |
| `keyring:NAME` | the stored secret | then |
| `file:PATH` | the file's text, without blanks at both ends | then |
| `cmd:COMMAND` | the first line that the command prints, which runs once (`secret_command`) | then |
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge import PROGRAM
from bridge.config import NotedEnvironment
from bridge.config.secret_reference import Kind, SecretReference, SecretUnavailable, at_beginning, check_reference
from bridge.errors import BridgeError
from bridge.protocol.sanitize import escaped

_SOME_SECRET = "secret"  # noqa: S105 - A word that may stand where any secret may.
_FILE_BYTES = 64 * 1024
_ORDER: tuple[Kind, ...] = ("env", "keyring", "file", "cmd")
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,99}"

Wanted = Mapping[SecretReference, str]
"""References, each with what it stands in, as it is called in a sentence: `--client-secret`, `the header X-Key`."""


def read_secrets(wanted: Wanted, environ: NotedEnvironment) -> dict[SecretReference, str]:
    """The secret of each reference, as it is there. Raises `SecretUnavailable` for the first that cannot be read."""
    check_references(wanted)
    in_order = sorted(wanted, key=lambda reference: _ORDER.index(reference.kind))
    return {reference: _READERS[reference.kind](reference, wanted[reference], environ) for reference in in_order}


def check_references(wanted: Wanted) -> None:
    """Raise `SecretUnavailable` for the first reference that can lead nowhere, whatever is stored."""
    for reference, source in wanted.items():
        check_reference(reference, source, sys.platform)


def look_for_secrets(wanted: Wanted, environ: NotedEnvironment) -> dict[SecretReference, str]:
    """The same without a keyring and without running a command: for these it is only checked that they are there.

    What it returns in their place has no meaning.
    """
    check_references(wanted)
    return {reference: _LOOKERS[reference.kind](reference, source, environ) for reference, source in wanted.items()}


def _of_variable(reference: SecretReference, source: str, environ: NotedEnvironment) -> str:
    name = reference.place
    if value := environ.get(name, "").strip():
        return value
    state = "empty" if name in environ else "not set"
    # Another text is not shown, because it may be the secret.
    named = name if re.fullmatch(_VARIABLE, name) else "that it names"
    raise SecretUnavailable(
        reference,
        f"{at_beginning(source)} needs the environment variable {named}, which is {state}.",
        hint="Set it, in a host in the env of the entry that runs the bridge.",
    )


def _of_keyring(reference: SecretReference, source: str, _: NotedEnvironment) -> str:
    from bridge.process.user_secrets import read_secret
    from bridge.store.errors import EntryRefused, KeyringUnavailable

    name = reference.place
    again = f"{PROGRAM} secret set {name}"
    try:
        value = read_secret(name)
    except KeyringUnavailable as error:
        hint = f"To store it again, run: {again}"
        if not isinstance(error, EntryRefused):
            hint = (
                "Unlock the keyring, and start the server again in the host; or store the secret in a file that only "
                f"you can read, with: {again} --token-store file"
            )
        raise SecretUnavailable(
            reference, f"{at_beginning(source)} needs the secret {name}: {error.message}", hint=hint
        ) from None
    except BridgeError as error:
        raise SecretUnavailable(
            reference, f"{at_beginning(source)} needs the secret {name}: {error.message}", hint=error.hint
        ) from None
    if value is None:
        raise _not_stored(reference, source)
    return value


def _in_keyring(reference: SecretReference, source: str, _: NotedEnvironment) -> str:
    from bridge.process.user_secrets import has_secret

    if not has_secret(reference.place):
        raise _not_stored(reference, source)
    return _SOME_SECRET


def _not_stored(reference: SecretReference, source: str) -> SecretUnavailable:
    import difflib

    from bridge.process.user_secrets import secret_names

    name = reference.place
    near = difflib.get_close_matches(name, secret_names(), n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    hint = f"{meant}To store it, run: {PROGRAM} secret set {name}"
    return SecretUnavailable(
        reference, f"{at_beginning(source)} needs the secret {name}, which is not stored.", hint=hint
    )


def _of_file(reference: SecretReference, source: str, _: NotedEnvironment) -> str:
    path = Path(reference.place)
    shown = escaped(str(path))
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
        if len(content) > _FILE_BYTES:
            raise SecretUnavailable(reference, f"The file that {source} names is too large ({shown}).")
        return content.decode("utf-8-sig").strip()
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except RuntimeError:
        why = "cannot be read: no such home directory"
    except ValueError as error:  # The path has a NUL, or the text is not UTF-8.
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "cannot be read: no such path"
    raise SecretUnavailable(reference, f"The file that {source} names {why} ({shown}).")


def _of_command(reference: SecretReference, source: str, environ: NotedEnvironment) -> str:
    from bridge.process.secret_command import output_of

    return output_of(reference, source, environ.for_children())


def _runnable(reference: SecretReference, source: str, environ: NotedEnvironment) -> str:
    from bridge.process.secret_command import program_of

    program_of(reference, source, environ.for_children())
    return _SOME_SECRET


_Reader = Callable[[SecretReference, str, NotedEnvironment], str]
_READERS: Mapping[Kind, _Reader] = {
    "env": _of_variable,
    "keyring": _of_keyring,
    "file": _of_file,
    "cmd": _of_command,
}
_LOOKERS: Mapping[Kind, _Reader] = {**_READERS, "keyring": _in_keyring, "cmd": _runnable}
