"""The command `completion`, and completion for PowerShell, which click does not have."""

from __future__ import annotations

import os
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.option_table import COMPLETION_VARIABLE

SHELLS = ("bash", "zsh", "fish", "powershell")

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_WORDS = ($commandAst.CommandElements | ForEach-Object { $_.Extent.Text }) -join "`n"
    $env:COMP_CWORD = $wordToComplete
    try {
        & %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell: the words one a line, the word under the cursor by itself."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that one."""
        words, incomplete = os.environ.get("COMP_WORDS", "").splitlines()[1:], os.environ.get("COMP_CWORD", "")
        if incomplete and words[-1:] == [incomplete]:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """The word and what is said of it. PowerShell takes no empty text for that."""
        return f"{item.value}\t{item.help or item.value}"


add_completion_class(PowerShellComplete)


@click.command("completion", cls=OneCommand)
@click.argument("shell", cls=WordArgument, type=click.Choice(SHELLS), metavar="|".join(SHELLS))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print what makes your shell complete the commands, options, and the names of servers.

    Put the output where your shell reads it when it starts, as in the examples, and open a new terminal. In zsh, call
    compinit before it.
    """
    made: Any = get_completion_class(shell)
    click.echo(made(ctx.find_root().command, {}, PROGRAM, COMPLETION_VARIABLE).source())
