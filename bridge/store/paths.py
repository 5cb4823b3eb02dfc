"""The folders and file names of the store, and the protection of these folders from other users.

A store key is the opaque name of one secret: a kind, a hyphen, and hex digits that the caller derives from whatever the
secret belongs to, as in `tokens-0123456789abcdef`. It says nothing about the server, so it may show in a file's name.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import msgspec

from bridge.store.errors import StoreError
from bridge.store.roots import cache_root, data_root, former_roots

_SLOT = r"[a-z]{1,16}-[0-9a-f]{16,128}"


class StorePaths(msgspec.Struct, frozen=True):
    """The folders under one data folder. `former` are the data folders of earlier versions (`store/migration`)."""

    root: Path
    former: tuple[Path, ...] = ()

    @property
    def credentials(self) -> Path:
        """The folder of the secrets that are stored in files, and of the markers."""
        return self.root / "credentials"

    @property
    def locks(self) -> Path:
        """The folder of empty files that processes lock. They are never removed: a waiting process has one open."""
        return self.root / "locks"

    @property
    def logins(self) -> Path:
        """The folder of what logins leave for one another (`tokens/login_files`)."""
        return self.root / "logins"


def platform_paths() -> StorePaths:
    """The paths of this user, by the table in `store/roots`."""
    return StorePaths(data_root(), former_roots())


def platform_cache() -> Path:
    """The cache folder of this user, by the same table."""
    return cache_root()


def is_key(name: str) -> bool:
    """Whether `name` has the form of a store key, and so can be part of a file's name on every platform."""
    return re.fullmatch(_SLOT, name) is not None


def check_key(key: str) -> str:
    """Return `key`; raise `ValueError` where it is not a store key."""
    if not is_key(key):
        raise ValueError("a store key is a kind, a hyphen and 16 to 128 hex digits")
    return key


def secret_name(key: str) -> str:
    """The file with a store key's secret, where the keyring does not have it."""
    return f"{key}.secret"


def marker_name(key: str) -> str:
    """The file that says where a store key's secret is (`bridge.store.marker`)."""
    return f"{key}.keyring"


def make_private(folder: Path) -> None:
    """Create `folder`, for its owner alone. Raises `StoreError` where that fails.

    Other users' permissions to an existing folder are removed. A link, or another user's folder, is refused, because
    its owner would decide where secrets go. On Windows the folder inherits the protection of the user's profile.
    """
    if not folder.is_absolute():
        # A `~` that could not be expanded would become a folder of that name in the current folder.
        raise StoreError(
            "This user has no home folder, so nothing can be stored.",
            hint="Set HOME (on Windows USERPROFILE); or keep tokens for this run only, with --token-store memory.",
        )
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise StoreError(
                f"{folder} is a link or a file, not a folder, so the bridge stores no secrets there.",
                hint="Remove it; the bridge creates the folder again.",
            )
        if is_foreign(found):
            raise StoreError(
                f"{folder} belongs to another user, so the bridge stores no secrets there.",
                hint="Run the bridge as that user, or remove the folder.",
            )
        if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be created: {reason_of(error)}.",
            hint="Make the folder above it writable; or keep tokens for this run only, with --token-store memory.",
        ) from None


def is_foreign(found: os.stat_result) -> bool:
    """Whether a file or folder belongs to another user. Always False on Windows, which has no owner to compare."""
    effective = getattr(os, "geteuid", None)
    return effective is not None and found.st_uid != effective()


def reason_of(error: OSError) -> str:
    """The system's text for an error, which never quotes what was written."""
    return error.strerror or type(error).__name__
