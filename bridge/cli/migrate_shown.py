"""What `migrate` and `migrate --undo` have in common: asking, the secrets that move, and how a change is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import click

from bridge import PROGRAM
from bridge.cli.formatting import clean, print_diff
from bridge.cli.host_choice import is_interactive
from bridge.documents.replacing import FileChange
from bridge.errors import UsageError
from bridge.install.shown_change import shown_diff
from bridge.migrate.moving import PlannedMove
from bridge.migrate.old_entries import secrets_in
from bridge.migrate.translation import TurnedFlag
from bridge.process.redact import Redactor
from bridge.protocol.sanitize import escaped

_WIDEST = 40


class Asking:
    """Whether to write a file: what the options say, or the user."""

    def __init__(self, *, is_dry: bool, is_yes: bool) -> None:
        self.is_dry = is_dry
        self._is_yes = is_yes

    def may_write(self, what: str) -> bool:
        """Ask the user. Raises `UsageError` where the user cannot be asked."""
        if self.is_dry or self._is_yes:
            return not self.is_dry
        if not is_interactive():
            raise UsageError("Nothing was written, because you cannot be asked here.", hint="Add --yes to write this.")
        return click.confirm(what, default=False, err=True)


class MovedSecrets:
    """The secrets that move from hosts' files into the keyring."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, str]] = {}

    def free_name(self, wanted: str, value: str) -> str:
        """A name for a secret that no other one has; `wanted`, if that is possible. The same secret keeps its name."""
        from bridge.process.user_secrets import free_name

        for name, given in self._given.items():
            if given == (wanted, value):
                return name
        for number in count(1):
            name = free_name(wanted if number == 1 else f"{wanted}-{number}")
            if name not in self._given:
                self._given[name] = (wanted, value)
                return name
        raise AssertionError  # pragma: no cover - the numbers do not end

    def save(self, name: str, value: str) -> str:
        """Store a secret; return where it is, in words. Raises `StoreError`."""
        from bridge.process.user_secrets import save_secret

        return save_secret(name, value, notice=warn)


def warn(text: str) -> None:
    """Show a warning."""
    click.echo(f"{PROGRAM}: warning: {clean(text)}", err=True)


def show_plan(plan: PlannedMove) -> None:
    """Show what becomes of each entry in a file, flag by flag, and the change as a whole."""
    click.echo(f"{plan.file.host}: {plan.file.path}")
    for entry in plan.staying:
        click.echo(f"\n  {entry.name} ({entry.program}) stays as it is:")
        for reason in entry.reasons:
            click.echo(f"    - {escaped(reason)}")
    for one in plan.moved:
        made = one.old.translation
        if made is not None:
            click.echo(f"\n  {one.old.name} ({one.old.program}), {clean(made.url)}")
            for row in _table(made.turned):
                click.echo(f"    {escaped(row)}")
    click.echo()
    if plan.change is not None:
        references = [
            word for one in plan.moved for word in one.words if any(f"keyring:{n}" in word for n, _ in one.secrets)
        ]
        print_diff(f"{shown(plan.change, plan.content, references)}\n")


def shown(change: FileChange, content: object, references: Iterable[str] = (), former: Iterable[object] = ()) -> str:
    """A change as the user may see it, without secrets.

    `content` is the file's present content. `references` are words of ours that look like a secret and only name one;
    `former` are entries that come back, with their secrets.
    """
    hide = Redactor()
    for secret in secrets_in([content, *former]):
        if secret not in references:
            hide.add(secret)
    marks = {word: f"@@{number}@@" for number, word in enumerate(dict.fromkeys(references))}
    before, after = (_replaced(data, marks) for data in (change.before, change.after))
    text = hide(shown_diff(FileChange(change.path, change.target, before, after), content))
    for word, mark in marks.items():
        text = text.replace(mark, escaped(word))
    return text


def _replaced(data: bytes | None, marks: Mapping[str, str]) -> bytes | None:
    for word, mark in marks.items():
        data = None if data is None else data.replace(word.encode(), mark.encode())
    return data


def _table(turned: Sequence[TurnedFlag]) -> list[str]:
    """The lines of a table: theirs, ours, and why."""
    rows = [
        (row.theirs or "(nothing)", row.ours or "(nothing)", f"  ({row.note})" if row.note else "") for row in turned
    ]
    width = min(_WIDEST, max((len(theirs) for theirs, _, _ in rows), default=0))
    return [f"{theirs:{width}} -> {ours}{note}" for theirs, ours, note in rows]
