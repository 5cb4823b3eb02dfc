"""Reads the file of `--client-key`, each time it is needed: keys are replaced while the bridge runs."""

from __future__ import annotations

from collections.abc import Callable

from bridge.config import SignInSettings
from bridge.oauth.client_key import ClientKey, read_client_key
from bridge.oauth.errors import NeedsChange
from bridge.protocol.sanitize import escaped

_MOST_BYTES = 64 * 1024

LoadKey = Callable[[], ClientKey]
"""Reads the client's key. Raises `SignInError`."""


def key_loader(settings: SignInSettings) -> LoadKey | None:
    """What reads the key of these settings; None if they name none."""
    path = settings.client_key
    if path is None:
        return None

    def load() -> ClientKey:
        shown = escaped(str(path))
        try:
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise NeedsChange(
                f"The client's key {shown} cannot be read: {error.strerror}.",
                hint="Check the path of --client-key, and that this user may read the file.",
            ) from None
        if len(text) > _MOST_BYTES:
            raise NeedsChange(f"The client's key {shown} is larger than {_MOST_BYTES} bytes.")
        return read_client_key(text, shown, settings.client_key_alg or "", settings.client_key_id or "")

    return load
