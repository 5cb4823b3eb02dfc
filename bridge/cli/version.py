"""The command `version`, which `--version` means too: the bridge's version, and what it runs on."""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from bridge import PROGRAM, __version__
from bridge.cli.commands import OneCommand


@click.command("version", cls=OneCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def version(as_json: bool) -> None:
    """Print the version of the bridge, and what it runs on.

    The first line has the name and the version only. A report of a fault needs all lines.
    """
    import json
    import platform

    libraries = _libraries()
    facts = {
        "version": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "executable": sys.executable,
        "system": platform.platform(),
        "libraries": libraries,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"{PROGRAM} {__version__}")
    click.echo(f"Python {facts['python']}, {facts['executable']}")
    click.echo(facts["system"])
    click.echo(", ".join(f"{name} {number}" for name, number in libraries.items()))


def _libraries() -> dict[str, str]:
    """The versions of the packages that may explain a fault."""
    from importlib import metadata

    from bridge.process.log_head import LIBRARIES

    found = {}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
