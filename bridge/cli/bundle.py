"""The command `bundle`: makes a file with which others install a server by double click."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bridge import PROGRAM, __version__
from bridge.bundle.archive import write_archive
from bridge.bundle.bundle import FORMS, BundleContent
from bridge.bundle.bundle import bundle as bundled
from bridge.bundle.icon import read_icon
from bridge.cli.bundle_content import ASKED_WITHOUT_URL, fixed_variables, name_of, questions_of
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import amount_of, clean
from bridge.cli.options import HomePath, run_options
from bridge.cli.settings import URL_VARIABLE
from bridge.errors import UsageError

_ENDING = ".mcpb"


# The variables MCP_BRIDGE_* of this machine are no part of what is handed out.
@click.command("bundle", cls=OneCommand, context_settings={"obj": {}})
@click.argument("url", cls=WordArgument, required=False, metavar="[URL]")
@click.option("-o", "--output", type=HomePath(), metavar="FILE", help="Write the bundle to FILE. Default: NAME.mcpb.")
@click.option("--name", metavar="NAME", help="The bundle's name, which hosts tell it by. Default: from the URL's host.")
@click.option("--display-name", metavar="TEXT", help="The name that users read. Default: NAME.")
@click.option("--description", metavar="TEXT", help="What the server does, in one sentence.")
@click.option("--author", metavar="TEXT", help="Who hands it out. Default: the URL's host.")
@click.option(
    "--bundle-version", metavar="X.Y.Z", default=__version__, help="The bundle's version. Default: the bridge's."
)
@click.option("--icon", type=HomePath(), metavar="FILE", help="A PNG file, best with 512 x 512 pixels.")
@click.option(
    "--form",
    type=click.Choice(FORMS),
    default=FORMS[0],
    help="uv: for all systems, the host fetches packages at the first start. python: all packages inside, for this"
    " system and this version of Python. Default: uv.",
)
@click.option(
    "--ask", multiple=True, metavar="WHAT", help="Ask the user for url, header:NAME, or an option. Repeatable."
)
@click.option("--ask-optional", multiple=True, metavar="WHAT", help="The same, for what may be left empty. Repeatable.")
@run_options
@click.pass_context
def bundle(ctx: click.Context, /, url: str | None, output: Path | None, **options: Any) -> None:
    """Make an MCPB bundle (.mcpb) of the server at URL, which Claude Desktop installs by double click.

    Without URL the bundle asks each user for it. The options of a run are fixed in the bundle, where everyone can read
    them; what is secret, the bundle asks for.
    """
    address = url or ""
    written = {name for name in options if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    fixed = fixed_variables(address, {name: options[name] for name in written})
    questions = questions_of(*_asked(address, options["ask"], options["ask_optional"]))
    name = options["name"] or name_of(address)
    shown = options["display_name"] or (name if address else "Remote MCP server")
    content = BundleContent(
        name=name,
        display_name=shown,
        description=options["description"] or f"Connects to {_place(address)} through {PROGRAM}.",
        author=options["author"] or (name_of(address) if address else PROGRAM),
        version=options["bundle_version"],
        form=options["form"],
        fixed=fixed,
        questions=questions,
        icon=read_icon(options["icon"]) if options["icon"] else None,
    )
    path = output or Path(f"{name}{_ENDING}")
    if path.suffix != _ENDING:
        raise UsageError(
            f"{path} does not end with {_ENDING}, by which hosts know a bundle.", hint="Mend the name after -o."
        )
    data = bundled(content)
    write_archive(path, data)
    click.echo(f"Wrote {path} ({amount_of(len(data))}).")
    for line in _remarks(content):
        click.echo(f"{PROGRAM}: {line}", err=True)


def _asked(url: str, asked: tuple[str, ...], optional: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The words of both options, with what a bundle without a URL asks besides."""
    own = [] if url else [one for one in ASKED_WITHOUT_URL if one[0] not in (*asked, *optional)]
    return [*(word for word, is_needed in own if is_needed), *asked], [
        *(word for word, is_needed in own if not is_needed),
        *optional,
    ]


def _place(url: str) -> str:
    return clean(url.partition("?")[0]) if url else "a remote MCP server"


def _remarks(content: BundleContent) -> list[str]:
    """What the user should know of the bundle."""
    remarks = []
    if names := sorted(name for name in content.fixed if name != URL_VARIABLE):
        remarks.append(f"Everyone who gets the bundle can read {', '.join(names)}.")
    if content.form == "python":
        version = ".".join(sys.version.split(".")[:2])
        remarks.append(f"It runs on this system with Python {version} only; --form uv makes one for all systems.")
    return remarks
