"""Where a browser that the bridge starts would be seen, and what a person can do where none is opened.

| where | a browser started here |
|---|---|
| `BROWSER` is set | is what the user wants; editors set it over SSH and in containers, and open one where the user is |
| an SSH session | is on the wrong machine, unless the display is forwarded (`DISPLAY` names a host): none is started |
| a container | is seen where the container was given a display, a portal or WSL's browser: what there is, is tried |
| WSL | is Windows' own |
| Linux and others without a display | is seen where there is a portal: it is tried |
| macOS, Windows, a desktop | is seen |

So only an SSH session is a reason not to try (`why_not_here`); the others say why nothing was found to try (`place`).
The environment, the platform (as `sys.platform`) and a look at files are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bridge import PROGRAM

SSH = "this is an SSH session, and a browser started here would open on the wrong machine"
CONTAINER = "this is a container, and it was given neither a display nor a desktop portal to open a browser with"
NO_DISPLAY = "neither a display nor a desktop portal was found here to open a browser with"

_PASTE = (
    "open the link in any browser, and when it ends at a page that cannot be reached, run here: "
    f"{PROGRAM} callback 'ITS ADDRESS'"
)
_SSH_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "DEVCONTAINER")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_WSL_VARIABLES = ("WSL_DISTRO_NAME", "WSL_INTEROP")
_WSL_FILES = ("/proc/sys/fs/binfmt_misc/WSLInterop", "/proc/sys/fs/binfmt_misc/WSLInterop-late")


def why_not_here(environ: Mapping[str, str], platform: str, *, names_browser: bool) -> str:
    """Return `SSH`, a clause, where no browser may be started here, for it would open on the wrong machine; else "".

    `names_browser` tells whether the user named one (`BROWSER`).
    """
    if names_browser or not is_over_ssh(environ):
        return ""
    display = environ.get("DISPLAY", "")
    is_forwarded = platform not in {"darwin", "win32"} and not display.startswith((":", "/")) and ":" in display
    return "" if is_forwarded else SSH


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether the user is at another machine, and came by SSH."""
    return any(environ.get(name) for name in _SSH_VARIABLES)


def place(environ: Mapping[str, str], platform: str, exists: Callable[[str], bool]) -> str:
    """Return `CONTAINER` or `NO_DISPLAY`, a clause, where that is why there may be no browser to start; else ""."""
    if platform in {"darwin", "win32"} or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ""
    if _in_container(environ, exists):
        return CONTAINER
    if any(environ.get(name) for name in _WSL_VARIABLES) or any(map(exists, _WSL_FILES)):
        return ""
    return NO_DISPLAY


def advice(why: str, redirect_uri: str, host: str = "THIS-HOST", *, at: str | None = None) -> str:
    """What a person can do where no browser is opened, for an answer that comes to `redirect_uri`: the lines to type.

    `why` is a clause, one of those above or another; `at` is one of those above, if `why` is not. `host` is this
    machine's name as SSH reaches it. Without a redirect URI nothing comes back to this machine, and any browser will
    do. Empty where there is no reason.
    """
    if not why:
        return ""
    reason = f"{why[0].upper()}{why[1:]}."
    if not redirect_uri:
        return f"{reason} Open the link in any browser."
    at = why if at is None else at
    port = urlsplit(redirect_uri).port
    tunnel = f"on your own machine run: ssh -L {port}:localhost:{port} {host}, and open the link there"
    ways = {
        "open the link in a browser on this machine": at not in {SSH, CONTAINER, NO_DISPLAY},
        tunnel: at != CONTAINER,
        _PASTE: True,
        "where the server offers it, sign in by a code: --grant device-code": True,
    }
    return f"{reason} Either {'; or '.join(way for way, is_open in ways.items() if is_open)}."


def _in_container(environ: Mapping[str, str], exists: Callable[[str], bool]) -> bool:
    # Flatpak says so of each program, and opens links on the desktop all the same.
    named = environ.get("container", "") not in {"", "flatpak"}
    return named or any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(map(exists, _CONTAINER_FILES))
