"""Whether a browser that the bridge starts would be seen by the person, and what to do where it would not.

| where | a browser started here |
|---|---|
| `BROWSER` is set | is what the user wants; editors set it in SSH sessions and containers, and open one at his side |
| an SSH session | is seen by nobody, unless the display is forwarded (`DISPLAY` names a host) |
| a container | is seen by nobody, unless it was given a display |
| WSL | is Windows' own |
| Linux and others without a display | cannot be shown |
| macOS, Windows, a desktop | is seen |

The environment, the platform (as `sys.platform`) and a look at files are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

SSH = "this is an SSH session, and a browser started here would open on the wrong machine"
CONTAINER = "this is a container, where there is no browser to see"
NO_DISPLAY = "there is no display here to show a browser on"

_PASTE = (
    "open the link in any browser, and when it ends at a page that cannot be reached, run here: "
    "mcp-remote-bridge callback 'ITS ADDRESS'"
)
_SSH_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "DEVCONTAINER")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_WSL_VARIABLES = ("WSL_DISTRO_NAME", "WSL_INTEROP")
_WSL_FILES = ("/proc/sys/fs/binfmt_misc/WSLInterop", "/proc/sys/fs/binfmt_misc/WSLInterop-late")


def why_not_here(environ: Mapping[str, str], platform: str, exists: Callable[[str], bool]) -> str:
    """Why a browser started here is of no use, as a clause; empty where it is.

    It is one of `SSH`, `CONTAINER` and `NO_DISPLAY`.
    """
    if environ.get("BROWSER"):
        return ""
    has_desktop = platform in {"darwin", "win32"}
    display = environ.get("DISPLAY", "")
    if any(environ.get(name) for name in _SSH_VARIABLES):
        is_forwarded = not has_desktop and not display.startswith((":", "/")) and ":" in display
        return "" if is_forwarded else SSH
    if has_desktop or display or environ.get("WAYLAND_DISPLAY"):
        return ""
    if _in_container(environ, exists):
        return CONTAINER
    if any(environ.get(name) for name in _WSL_VARIABLES) or any(map(exists, _WSL_FILES)):
        return ""
    return NO_DISPLAY


def advice(why: str, redirect_uri: str, host: str = "THIS-HOST") -> str:
    """What a person can do where no browser is opened, for an answer that comes to `redirect_uri`: the lines to type.

    `why` is a clause, one of those above or another. `host` is this machine's name as SSH reaches it. Without a
    redirect URI nothing comes back to this machine, and any browser will do. Empty where there is no reason.
    """
    if not why:
        return ""
    reason = f"{why[0].upper()}{why[1:]}."
    if not redirect_uri:
        return f"{reason} Open the link in any browser."
    port = urlsplit(redirect_uri).port
    tunnel = f"on your own machine run: ssh -L {port}:localhost:{port} {host}, and open the link there"
    ways = {
        "open the link in a browser on this machine": why not in {SSH, CONTAINER, NO_DISPLAY},
        tunnel: why != CONTAINER,
        _PASTE: True,
        "where the server offers it, sign in by a code: --grant device-code": True,
    }
    return f"{reason} Either {'; or '.join(way for way, is_open in ways.items() if is_open)}."


def _in_container(environ: Mapping[str, str], exists: Callable[[str], bool]) -> bool:
    # Flatpak says so of each program, and opens links on the desktop all the same.
    named = environ.get("container", "") not in {"", "flatpak"}
    return named or any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(map(exists, _CONTAINER_FILES))
