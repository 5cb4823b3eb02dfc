"""Changes one member of a configuration text, in its format, and checks what came of it.

Each format's module says which places of the text change (`splices`). Whatever it says, the result must be valid and
hold what the text held before with just that change; otherwise the change is refused.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from bridge.documents.reading import BrokenConfig
from bridge.documents.splices import Names, RefusedEdit, Splice, applied, named

Format = Literal["json", "toml", "yaml"]

_SUFFIXES: Mapping[str, Format] = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
_MARK = "\ufeff"


class TextFormat(Protocol):
    """What the module of a format offers. `parsed` raises `BrokenConfig`, the others `RefusedEdit`."""

    def parsed(self, text: str) -> object: ...
    def document(self, text: str, value: object) -> list[Splice]: ...
    def insertion(self, text: str, parent: Names, name: str, value: object) -> list[Splice]: ...
    def replacement(self, text: str, path: Names, value: object) -> list[Splice]: ...
    def removal(self, text: str, path: Names) -> list[Splice]: ...


def format_of(path: Path) -> Format:
    """The format of a file by its name: TOML or YAML by their suffixes, else JSON."""
    return _SUFFIXES.get(path.suffix.lower(), "json")


@contextlib.contextmanager
def _not_too_deep() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise BrokenConfig("it is nested too deeply") from None


@_not_too_deep()
def with_value(text: str, form: Format, path: Names, value: object) -> str:
    """The text with `value` at `path`, in the place of what is there. Objects that are missing on the way are made.

    An empty text becomes a document. Raises `BrokenConfig` for a text that is not valid, and `RefusedEdit`.
    """
    text, mark = _without_mark(text)
    module, before = _read(text, form)
    depth = _depth(before, path)
    if depth == len(path):
        splices = module.replacement(text, path, value)
    else:
        new = value
        for name in reversed(path[depth + 1 :]):
            new = {name: new}
        splices = module.document(text, new) if depth < 0 else module.insertion(text, path[:depth], path[depth], new)
    return mark + _checked(module, applied(text, splices), [_with(before, path, value)])


@_not_too_deep()
def without(text: str, form: Format, path: Names, prune: int = 0) -> str:
    """The text without the member at `path`; the same text where there is none.

    Up to `prune` of the objects around it go too, from the inside outwards, where they would be empty. The outermost
    is the document itself. Raises `BrokenConfig` for a text that is not valid, and `RefusedEdit`.
    """
    text, mark = _without_mark(text)
    module, before = _read(text, form)
    if not path or _depth(before, path) < len(path):
        return mark + text
    while prune > 0 and path and len(cast("Mapping[str, Any]", _at(before, path[:-1]))) == 1:
        path, prune = path[:-1], prune - 1
    after = applied(text, module.removal(text, path))
    wanted = [_removed(before, path)]
    while path and len(cast("Mapping[str, Any]", _at(before, path[:-1]))) == 1:
        path = path[:-1]  # In TOML a table that no line names is gone with its last member.
        wanted.append(_removed(before, path) if path else {})
    return mark + _checked(module, after, wanted)


@_not_too_deep()
def missing_parents(text: str, form: Format, path: Names) -> int:
    """How many objects `with_value` makes on the way to `path`, the document itself included.

    `without` with this as `prune` gives the text from before. Raises `BrokenConfig` and `RefusedEdit`.
    """
    _, before = _read(_without_mark(text)[0], form)
    depth = _depth(before, path)
    return 0 if depth == len(path) else len(path) - 1 - depth


def _without_mark(text: str) -> tuple[str, str]:
    """The text without its byte order mark, and the mark."""
    return (text[1:], _MARK) if text.startswith(_MARK) else (text, "")


def _read(text: str, form: Format) -> tuple[TextFormat, object]:
    module = cast("TextFormat", importlib.import_module(f"bridge.documents.{form}_edit"))
    return module, module.parsed(text)


def _depth(content: object, path: Names) -> int:
    """How many names of `path` there are; -1 where there is no document. Raises `RefusedEdit`."""
    if content is None:
        return -1
    for depth, name in enumerate(path):
        if content is None:
            content = {}  # YAML: a name without a value.
        if not isinstance(content, dict):
            raise RefusedEdit(f"{named(path[:depth])} is not an object, but {_kind(content)}")
        if name not in content:
            return depth
        content = content[name]
    return len(path)


def _kind(value: object) -> str:
    names: Mapping[type, str] = {list: "an array", str: "a string", bool: "true or false", int: "a number"}
    return names.get(type(value), "another value")


def _at(content: object, path: Names) -> object:
    for name in path:
        content = cast("Mapping[str, Any]", content)[name]
    return content


def _with(content: object, path: Names, value: object) -> object:
    if not path:
        return value
    members = cast("Mapping[str, Any]", content or {})
    return {**members, path[0]: _with(members.get(path[0]), path[1:], value)}


def _removed(content: object, path: Names) -> object:
    if not path:
        return None
    members = dict(cast("Mapping[str, Any]", content))
    if len(path) == 1:
        del members[path[0]]
    else:
        members[path[0]] = _removed(members[path[0]], path[1:])
    return members


def _checked(module: TextFormat, after: str, wanted: Sequence[object]) -> str:
    """`after`, if it holds one of what is wanted. Raises `RefusedEdit`."""
    try:
        found = module.parsed(after)
        if any(_are_same(found, one, set()) for one in wanted):
            return after
    except BrokenConfig:
        pass
    raise RefusedEdit("the change would have damaged other parts of it, so it was not made")


def _are_same(one: object, other: object, seen: set[tuple[int, int]]) -> bool:
    """Whether two values are equal, with `1`, `1.0` and `true` told apart. `seen`: YAML can refer to a value twice."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        if (id(one), id(other)) in seen:
            return True
        seen.add((id(one), id(other)))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and _all_same(((one[key], other[key]) for key in one), seen)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and _all_same(zip(one, other, strict=True), seen)
    if not one and not other and {type(one), type(other)} <= {dict, type(None)}:
        return True  # An empty object that YAML writes as nothing.
    return type(one) is type(other) and (one == other or (one != one and other != other))


def _all_same(pairs: Iterable[tuple[object, object]], seen: set[tuple[int, int]]) -> bool:
    return all(_are_same(one, other, seen) for one, other in pairs)
