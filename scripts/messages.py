"""Write `docs/messages.md`, every sentence that a user can meet: `python3 scripts/messages.py --write`.

The page is made from the code alone, without running it: each string in `bridge/` that has two or more words stands on
it, unless one of `RULES` says why no user reads it. So a new sentence cannot be forgotten; a new string that is no
sentence needs a rule. Holes of f-strings are shown by name, `{url}`; alternatives as `{is|are}`. Nothing on the page
depends on the layout of the code.

Without `--write` the page is only compared; `--left-out` prints what the rules leave out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, run_script
from scripts.message_text import Text, is_sentence, text_of
from scripts.syntax import tree_of

PAGE = ROOT / "docs" / "messages.md"
CODE = ROOT / "bridge"
COMMAND = "python3 scripts/messages.py --write"
HEAD = f"""\
# Every sentence a user can meet

Errors, hints, warnings, the words of the tool `sign_in`, the pages in the browser, the help of the commands, and the
log at its default level, by room and file. Parts of sentences stand here too, in the order in which the code has them.
What varies is in braces: `{{url}}`, or `{{is|are}}` where the code chooses. What servers, Python and click say in their
own words is not here.

Made by `{COMMAND}`; a test compares it with the code.
"""


@dataclass(frozen=True)
class Place:
    """Where a string stands: the nodes around it, the outermost first, and what it says."""

    around: tuple[ast.AST, ...]
    node: ast.AST
    text: Text

    @property
    def call(self) -> ast.Call | None:
        """The call whose argument it is, if it is one; for `hint=`, the call that the hint is for."""
        for node in reversed(self.around):
            if isinstance(node, ast.Call):
                return node
            if not isinstance(node, ast.keyword | ast.IfExp | ast.BoolOp):
                return None
        return None


@dataclass(frozen=True)
class Rule:
    """Why some strings of several words are not on the page. `covers` says whether a string is one of them."""

    name: str
    why: str
    covers: Callable[[Place], bool]


_PATTERN = re.compile(r"\(\?[:=!<a-zA-Z]|\\[\\bdDsSwWZ([{.|]|\[[^\]]+\](?:[*+?]|\{\d)")
_ADDRESSES = re.compile(r"(?:[0-9a-f:.]+/\d+ ?)+")
_PRODUCT = re.compile(r"[A-Z][A-Za-z]*(?: (?:- )?(?:[A-Z][A-Za-z]*))+")
_LOOK_AT_TEXT = {
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "replace",
    "partition",
    "rpartition",
    "split",
}
OTHERS_WORDS = {
    "Address already in use": "what Windows calls its error",
    "application/json, text/event-stream": "a header",
    "visual studio code": "how a host names itself",
    "visual studio code - insiders": "how a host names itself",
    "Expecting ',' delimiter": "Python's json, which is put into other words",
    "Expecting ':' delimiter": "the same",
    "Expecting property name enclosed in double quotes": "the same",
    "Expecting value": "the same",
    "Unterminated string starting at": "the same",
    "Invalid control character at": "the same",
    "Invalid \\escape": "the same",
    "Extra data": "the same",
    "tmux: server": "the name of a process",
}


def _is_debug(place: Place) -> bool:
    for node in place.around:
        if isinstance(node, ast.Call):
            first = node.args[0] if node.args else None
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if "debug" in name or (isinstance(first, ast.Constant) and first.value == "debug"):
                return True
    return any(isinstance(node, ast.FunctionDef) and "debug" in node.name for node in place.around)


def _is_compared(place: Place) -> bool:
    parent = place.around[-1]
    call = place.call
    looks = call is not None and isinstance(call.func, ast.Attribute) and call.func.attr in _LOOK_AT_TEXT
    return isinstance(parent, ast.Compare | ast.MatchValue) or (looks and place.node is not call)


def _is_pattern(place: Place) -> bool:
    func = place.call.func if place.call else None
    is_re = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "re"
    return is_re or bool(_PATTERN.search(place.text.plain))


RULES = (
    Rule("a docstring", "readers of the code see it; those of click's commands are help, and are shown",
         lambda place: isinstance(place.around[-1], ast.Expr) and not _is_help(place)),
    Rule("the log at debug", "it is for those who look for a bug", _is_debug),
    Rule("a representation", "`__repr__` is for debuggers",
         lambda place: any(isinstance(node, ast.FunctionDef) and node.name == "__repr__" for node in place.around)),
    Rule("a pattern", "a regular expression", _is_pattern),
    Rule("compared", "the code searches or cuts text of other programs with it", _is_compared),
    Rule("bytes", "it is sent or received; texts for users are str, but for JSON-RPC errors",
         lambda place: place.text.is_bytes),
    Rule("style", "CSS, SVG and a header of the pages",
         lambda place: bool(re.search(r":root \{|^data:image|^%3C|^default-src |^M\d", place.text.plain))),
    Rule("credentials", "a value of the header Authorization",
         lambda place: bool(re.fullmatch(r"(?:Basic|Bearer) \{\}", place.text.plain))),
    Rule("networks", "ranges of addresses", lambda place: bool(_ADDRESSES.fullmatch(place.text.plain))),
    Rule("a product", "the name of a host", lambda place: bool(_PRODUCT.fullmatch(place.text.plain))),
    Rule("others' words", "text of other programs; `OTHERS_WORDS` says whose",
         lambda place: place.text.plain in OTHERS_WORDS),
)  # fmt: skip


def _is_help(place: Place) -> bool:
    owner = place.around[-2] if len(place.around) > 1 else None
    if not isinstance(owner, ast.FunctionDef):
        return False
    calls = [
        each for each in owner.decorator_list if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
    ]
    commands = [each for each in calls if getattr(each.func, "attr", "") in {"command", "group"}]
    return any("add_help_option" not in {given.arg for given in each.keywords} for each in commands)


def rule_for(place: Place) -> Rule | None:
    """The rule that leaves a string out; None: it is on the page."""
    return next((rule for rule in RULES if rule.covers(place)), None)


@cache
def _named_in(path: Path) -> dict[str, ast.Constant]:
    """The strings that a module gives names to."""
    return _constants(tree_of(path.read_text(encoding="utf-8")))


def _constants(tree: ast.Module) -> dict[str, ast.Constant]:
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


@cache
def ruled(source: str) -> tuple[tuple[Place, Rule | None], ...]:
    """Every string of two or more words in a file, in the order of the source, with the rule that leaves it out."""
    return tuple((place, rule_for(place)) for place in places(source))


def places(source: str) -> Iterator[Place]:
    """Every string of two or more words in a file, in the order of the source."""
    tree = tree_of(source)
    constants = _named_in(CODE / "__init__.py") | _constants(tree)
    taken: set[ast.AST] = set()

    def visit(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[Place]:
        if node not in taken:
            text = text_of(node, around, constants)
            if text is not None:
                taken.update(text.nodes)
                if is_sentence(text.plain):
                    yield Place(around, node, text)
        for child in _children(node):
            yield from visit(child, (*around, node))

    yield from visit(tree, ())


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node in the order in which they are written, on every Python; annotations are none."""
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.test, node.orelse)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield from (part for part in (key, value) if part is not None)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        parts = [] if isinstance(node, ast.ClassDef) else [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        yield from (*node.decorator_list, *parts, *node.body)
    elif isinstance(node, ast.AnnAssign):
        yield from (part for part in (node.target, node.value) if part is not None)
    elif not isinstance(node, ast.arguments):
        yield from ast.iter_child_nodes(node)


def page(code: Path = CODE) -> str:
    """The whole page."""
    parts = [HEAD]
    room = ""
    for path in sorted(code.rglob("*.py"), key=lambda path: (len(path.relative_to(code).parts) > 1, path.as_posix())):
        lines = dict.fromkeys(_line(place) for place, rule in ruled(path.read_text(encoding="utf-8")) if rule is None)
        if not lines:
            continue
        here = path.relative_to(code).parts
        if len(here) > 1 and here[0] != room:
            room = here[0]
            parts.append(f"\n## {room}\n")
        parts.append(f"\n### `{path.relative_to(code.parent).as_posix()}`\n\n" + "".join(lines))
    return "".join(parts)


def _line(place: Place) -> str:
    kind = "log: " if _is_logged(place) else "hint: " if _is_hint(place) else ""
    return f"- {kind}{place.text.shown}\n"


def _is_hint(place: Place) -> bool:
    return any(isinstance(node, ast.keyword) and node.arg == "hint" for node in place.around)


def _is_logged(place: Place) -> bool:
    func = place.call.func if place.call else None
    return isinstance(func, ast.Attribute) and func.attr in {"info", "warning", "error", "report"}


def left_out(code: Path = CODE) -> Iterator[tuple[Rule, str]]:
    """What the rules leave out, docstrings aside."""
    for path in sorted(code.rglob("*.py")):
        for place, rule in ruled(path.read_text(encoding="utf-8")):
            if rule is not None and rule is not RULES[0]:
                yield rule, place.text.shown


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it; 1 where it is not what the code says."""
    if arguments == ["--left-out"]:
        for rule, shown in left_out():
            print(f"{rule.name}: {shown}")
        return 0
    if arguments not in ([], ["--write"]):
        raise SetupError("usage: python3 scripts/messages.py [--write | --left-out]")
    made = page()
    if arguments:
        PAGE.write_text(made, encoding="utf-8", newline="\n")
        print(f"{PAGE.relative_to(ROOT)}: {made.count(chr(10) + '- ')} sentences.")
        return 0
    if PAGE.read_text(encoding="utf-8") != made:
        raise SetupError(f"docs/messages.md is not what the code says. Run: {COMMAND}")
    print("docs/messages.md is what the code says.")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
