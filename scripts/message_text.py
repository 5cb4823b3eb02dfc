"""What an expression of strings says, as `docs/messages.md` shows it (`scripts/messages.py`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_FORMAT = re.compile(r"%(?:\((?P<name>\w+)\))?[-+ 0#]*\d*(?:\.\d+)?[sdgfrx]")
_ERROR = re.compile(r'"message": ?"([^"]+)"')
"""A JSON-RPC error that stands in the code as bytes."""
_CUT = {"rstrip", "lstrip", "strip", "lower", "upper", "removesuffix", "removeprefix", "replace", "decode", "format"}
_BARE = "{}"


@dataclass(frozen=True)
class Text:
    """`shown` names its holes, in `plain` each is `{}`. `nodes` are the expressions that it was made of."""

    shown: str
    plain: str
    nodes: tuple[ast.AST, ...]
    is_bytes: bool = False


def is_sentence(plain: str) -> bool:
    """Whether it has two or more words, of which a hole may be one; or is one word with a full stop."""
    words = [word for word in plain.split() if re.search(r"[A-Za-z]{2}|\{\}|\b[aAI]\b", word)]
    in_letters = [word for word in words if re.search(r"[A-Za-z]{2}", word)]
    return bool(in_letters) and (len(words) > 1 or bool(re.fullmatch(r"[A-Z][a-z]+[.!?]", plain.strip())))


def text_of(node: ast.AST, around: tuple[ast.AST, ...], constants: Mapping[str, ast.Constant]) -> Text | None:
    """What a string, an f-string or a sum of them says; None for anything else."""
    if not isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        words = node.value.decode("latin-1")
        in_an_error = _ERROR.search(words)
        if in_an_error:
            return Text(in_an_error[1], in_an_error[1], (node,))
        return Text(words, words, (node,), is_bytes=True)
    reader = _Reader(constants)
    pieces = reader.pieces(node)
    if pieces is None:
        return None
    arguments: Iterator[str] = iter(())
    if _is_format(node, around):
        found = _arguments(node, around)
        arguments = map(hole, found)
        reader.nodes.extend(part for argument in found for part in _alternatives(argument))
    shown = "".join(f"{{{piece[0]}}}" if isinstance(piece, tuple) else piece for piece in pieces)
    plain = "".join(_BARE if isinstance(piece, tuple) else piece for piece in pieces)
    if _is_format(node, around):
        shown = _FORMAT.sub(lambda found: f"{{{found['name'] or next(arguments, '...')}}}", shown)
        plain = _FORMAT.sub(_BARE, plain)
    return Text(_one_line(shown), plain, tuple(reader.nodes))


def _one_line(text: str) -> str:
    """Without the tags of the pages, on one line, and fit for Markdown."""
    text = re.sub(r"<!doctype.*?<body[^>]*>|<svg.*?</svg>|</?[a-z][a-z0-9]*(?: [^<>]*)?>", " ", text, flags=re.DOTALL)
    text = " ".join(text.split())
    return text.replace("<", "\\<").replace("*", "\\*")


def _is_format(node: ast.AST, around: tuple[ast.AST, ...]) -> bool:
    parent = around[-1] if around else None
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mod):
        return parent.left is node
    func = parent.func if isinstance(parent, ast.Call) else None
    logs = isinstance(func, ast.Attribute) and func.attr in {"debug", "info", "warning", "error", "exception", "log"}
    return logs or bool(isinstance(node, ast.Constant) and "%(" in str(node.value))


def _arguments(node: ast.AST, around: tuple[ast.AST, ...]) -> list[ast.expr]:
    """What `%s` stands for."""
    parent = around[-1] if around else None
    if isinstance(parent, ast.Call) and node in parent.args:
        return parent.args[parent.args.index(node) + 1 :]
    if isinstance(parent, ast.BinOp):
        return parent.right.elts if isinstance(parent.right, ast.Tuple) else [parent.right]
    return []


class _Reader:
    """Puts an expression into pieces: what is written is a str, a hole a tuple with its name."""

    def __init__(self, constants: Mapping[str, ast.Constant]) -> None:
        self.nodes: list[ast.AST] = []
        self._constants = constants

    def pieces(self, node: ast.AST) -> list[str | tuple[str]] | None:
        """The pieces; None where the expression is not one of strings."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.nodes.append(node)
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            self.nodes.append(node)
            return [piece for value in node.values for piece in self._value(value)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.pieces(node.left), self.pieces(node.right)
            if left is None and right is None:
                return None
            self.nodes.append(node)
            return [*(left or self._hole(node.left)), *(right or self._hole(node.right))]
        return None

    def _value(self, value: ast.AST) -> list[str | tuple[str]]:
        if not isinstance(value, ast.FormattedValue):
            return self.pieces(value) or []
        self.nodes.append(value)
        return self._hole(value.value)

    def _hole(self, inner: ast.AST) -> list[str | tuple[str]]:
        if isinstance(inner, ast.Name) and inner.id in self._constants:
            return [str(self._constants[inner.id].value)]
        if isinstance(inner, ast.Constant):
            self.nodes.append(inner)
            return [str(inner.value)]
        if isinstance(inner, ast.JoinedStr):
            return self.pieces(inner) or []
        self.nodes.extend(_alternatives(inner))
        return [(hole(inner),)]


def _alternatives(node: ast.AST) -> list[ast.AST]:
    """What a hole shows itself, as `{is|are}`, so that it does not stand on the page a second time."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            return [*_alternatives(body), *_alternatives(orelse)]
        case ast.BoolOp(values=values):
            return [part for value in values for part in _alternatives(value)]
        case ast.Constant() | ast.JoinedStr():
            return list(ast.walk(node))
        case _:
            return []


def hole(node: ast.AST) -> str:
    """A name for what an expression puts into a sentence."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower() or "..."
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr():
            return "".join(
                f"{{{hole(value.value)}}}" if isinstance(value, ast.FormattedValue) else hole(value)
                for value in node.values
            )
        case ast.IfExp(body=body, orelse=orelse):
            return f"{hole(body)}|{hole(orelse)}"
        case ast.BoolOp(values=values):
            return "|".join(map(hole, values))
        case ast.Call():
            return _of_call(node)
        case ast.BinOp(left=left) | ast.Subscript(value=left) | ast.UnaryOp(operand=left) | ast.Await(value=left):
            return hole(left)
        case ast.Starred(value=left) | ast.GeneratorExp(elt=left) | ast.ListComp(elt=left):
            return hole(left)
        case _:
            return "..."


def _of_call(node: ast.Call) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[first, *_]):
            return hole(first)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _CUT:
            return hole(value)
        case ast.Call(args=[ast.Constant() | ast.JoinedStr(), second, *_]):
            return hole(second)
        case ast.Call(args=[first, *_]) if not isinstance(first, ast.Constant | ast.JoinedStr):
            return hole(first)
        case _:
            return hole(node.func)
