"""What the programs that the bridge starts get of its environment: the opener, the browser, the sign-in, a helper.

| variable | passed on |
|---|---|
| `MCP_BRIDGE_*` | no: settings of the bridge, and some are secrets |
| one that a header's `${NAME}` or `env:NAME` named | no: it was given to the bridge, and most hold a secret |
| one of those that programs cannot run without (`_NEEDED`) | yes, even where a header names it |
| any other | yes |

A browser passes its environment on to its extensions' programs, and it stays readable to all of the user's processes
for as long as it runs: days, mostly. So what a child does not need, it does not get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

VARIABLES_PREFIX = "MCP_BRIDGE_"
"""How the names of the bridge's own variables begin."""

# Without these a browser is not found, opens on no screen, or writes where it should not. None of them is a place for a
# secret; a header that says who the user is may name one.
_NEEDED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "SHELL"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "BROWSER"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "PATHEXT", "COMSPEC", "TEMP", "TMP", "USERNAME"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
    )
)


def child_environment(environ: Mapping[str, str], secret_variables: Iterable[str] = ()) -> dict[str, str]:
    """Return what a child gets of `environ`; see the table. `secret_variables` are the names that settings named.

    Case does not count: Windows has one variable for every spelling.
    """
    secret = {name.upper() for name in secret_variables} - _NEEDED
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(VARIABLES_PREFIX) and name.upper() not in secret
    }


class NotedEnvironment(Mapping[str, str]):
    """An environment that notes which of its variables were read, in `read`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.read: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        value = self._environ[name]
        self.read[name] = None
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
