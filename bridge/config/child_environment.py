"""Which environment variables the programs that the bridge starts get: the browser, the login process, and helpers.

| variable | passed on |
|---|---|
| `MCP_BRIDGE_*` | no: settings of the bridge, some of which are secrets |
| one that a header's `${NAME}` or `env:NAME` names | no: it is meant for the bridge, and most hold a secret |
| one that programs cannot run without (`_NEEDED`) | yes, even where a header names it |
| any other | yes |

A browser passes its environment on to the programs of its extensions, and all processes of the user can read it while
the browser runs, which is often for days. So a child gets no secret that it does not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

VARIABLES_PREFIX = "MCP_BRIDGE_"
"""How the names of the bridge's own variables begin."""

# Without these a browser is not found, finds no screen, or writes to the wrong place. None of them holds a secret,
# though a header may name one, to say who the user is.
_NEEDED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "SHELL"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "BROWSER"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "PATHEXT", "COMSPEC", "TEMP", "TMP", "USERNAME"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
    )
)


def child_environment(environ: Mapping[str, str], secret_variables: Iterable[str] = ()) -> dict[str, str]:
    """Return the part of `environ` that a child gets; see the table. `secret_variables` are those that settings name.

    Names are compared without regard to case, because Windows has one variable for all spellings.
    """
    secret = {name.upper() for name in secret_variables} - _NEEDED
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(VARIABLES_PREFIX) and name.upper() not in secret
    }


class NotedEnvironment(Mapping[str, str]):
    """An environment that notes in `read` which of its variables were read."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.read: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        value = self._environ[name]
        self.read[name] = None
        return value

    def for_children(self) -> dict[str, str]:
        """What a child gets of it (`child_environment`), where the variables that were read are secret."""
        return child_environment(self._environ, self.read)

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
