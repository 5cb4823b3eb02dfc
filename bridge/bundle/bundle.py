"""A bundle's files: the manifest, the program that the host starts, and the bridge.

| | form `uv` | form `python` |
|---|---|---|
| the host runs | `uv run --directory BUNDLE PROGRAM` | `python BUNDLE/PROGRAM`, with `PYTHONPATH` |
| the bridge | `wheels/*.whl`, which `pyproject.toml` names by its path | `server/lib`, with the packages it needs |
| needs | uv, which fetches the other packages at the first start | the Python version and system it was made on |

Both take the settings from the environment (`questions`).
"""

from __future__ import annotations

import json
import re
import sys
from typing import Literal

import msgspec

from bridge import PROGRAM, __version__
from bridge.bundle.archive import archive
from bridge.bundle.icon import Icon
from bridge.bundle.own_packages import WHEEL_NAME, own_folder, own_wheel
from bridge.bundle.questions import HEADER_VARIABLE, Question, environment_of
from bridge.bundle.templates import filled
from bridge.errors import UsageError

BundleForm = Literal["uv", "python"]
FORMS: tuple[BundleForm, ...] = ("uv", "python")

MANIFEST_VERSION = "0.4"
OLDEST_PYTHON = "3.11"

_ENTRY = f"server/{PROGRAM}.py"
"""The program has the bridge's name, so `status` knows its process."""
_ICON = "icon.png"
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_SYSTEMS = {"win32": "win32", "darwin": "darwin"}


class BundleContent(msgspec.Struct, frozen=True):
    """What is to be bundled. `fixed` are variables of the bridge, `MCP_BRIDGE_URL` and the like."""

    name: str
    display_name: str
    description: str
    author: str
    version: str
    form: BundleForm
    fixed: dict[str, str]
    questions: tuple[Question, ...]
    icon: Icon | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(_NAME, self.name):
            raise UsageError(
                "The name of a bundle has lower-case letters, digits, '-', '_' and '.', at most 64, and begins and "
                "ends with a letter or digit.",
                hint="Give one with --name, and what users read with --display-name.",
            )
        if not re.fullmatch(r"\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?", self.version):
            raise UsageError("The version of a bundle is three numbers such as 1.0.0.", hint="Mend --bundle-version.")
        for text in (self.display_name, self.description, self.author):
            if not text.strip() or not text.isprintable():
                raise UsageError("A text of the bundle is empty, or has a character that cannot be shown.")
        lines = self.fixed.get(HEADER_VARIABLE, "").split("\n")
        headers = {line.partition(":")[0].strip().lower() for line in lines} - {""}
        for question in self.questions:
            is_header = question.variable == HEADER_VARIABLE
            if question.header.lower() in headers if is_header else question.variable in self.fixed:
                raise UsageError(
                    f"The bundle asks for {question.key}, which the command line fixes.",
                    hint="Leave one of the two out.",
                )


def bundle(content: BundleContent) -> bytes:
    """The bundle as a file. Raises `BridgeError` where the bridge is not installed."""
    wanted = OLDEST_PYTHON if content.form == "uv" else _own_python()
    comparison = "<" if content.form == "uv" else "!="
    files = {
        "manifest.json": json.dumps(manifest(content), indent=2, ensure_ascii=False).encode() + b"\n",
        _ENTRY: filled("program", comparison=comparison, python=wanted),
    }
    if content.icon is not None:
        files[_ICON] = content.icon.content
    if content.form == "uv":
        project = filled(
            "project",
            name=content.name,
            version=__version__,
            python=OLDEST_PYTHON,
            program=PROGRAM,
            wheel=WHEEL_NAME,
        )
        files |= {"pyproject.toml": project, f"wheels/{WHEEL_NAME}": own_wheel()}
    else:
        files |= {f"server/lib/{name}": data for name, data in own_folder().items()}
    return archive(files)


def manifest(content: BundleContent) -> dict[str, object]:
    """The bundle's `manifest.json`."""
    environ = environment_of(content.fixed, content.questions)
    if content.form == "uv":
        command, args = "uv", ["run", "--directory", "${__dirname}", _ENTRY]
        platforms, runtime = ["darwin", "linux", "win32"], f">={OLDEST_PYTHON}"
    else:
        command, args = "python" if sys.platform == "win32" else "python3", [f"${{__dirname}}/{_ENTRY}"]
        environ = {"PYTHONPATH": "${__dirname}/server/lib", **environ}
        platforms, runtime = [_SYSTEMS.get(sys.platform, "linux")], f">={_own_python()} <{_next_python()}"
    made: dict[str, object] = {
        "manifest_version": MANIFEST_VERSION,
        "name": content.name,
        "display_name": content.display_name,
        "version": content.version,
        "description": content.description,
        "author": {"name": content.author},
        "server": {
            "type": content.form,
            "entry_point": _ENTRY,
            "mcp_config": {"command": command, "args": args, "env": environ},
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {"platforms": platforms, "runtimes": {"python": runtime}},
    }
    if content.icon is not None:
        made["icon"] = _ICON
        made["icons"] = [{"src": _ICON, "size": f"{content.icon.width}x{content.icon.height}"}]
    if content.questions:
        made["user_config"] = {question.key: question.user_config() for question in content.questions}
    return made


def _own_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _next_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor + 1}"
