"""Where the references in a schema lead (JSON Schema 2020-12, 8.2).

A host has only the schema that it was sent, so a reference must lead to a place in it:

| `$ref` | leads |
|---|---|
| `#`, `#/a/b`, `#name` | to the root, by a JSON Pointer (RFC 6901), to an `$anchor` |
| the root's `$id`, with or without one of these | likewise |
| a meta-schema of json-schema.org | to what each validator knows |
| anything else | nowhere: no host fetches it |

A schema with another `$id` below its root gives references another base; then all of them count as leading somewhere.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

_META_SCHEMA = re.compile(r"https?://json-schema\.org/")
_ITEMS = "items"
_MOST_TOKENS = 1000


class References:
    """The references of one decoded schema. It may be changed meanwhile, but for its anchors and ids."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._anchors: dict[str, Any] = {}
        self._base = ""
        self._has_bases = False
        if isinstance(base := root.get("$id"), str):
            self._base = base.partition("#")[0]

    def note(self, node: dict[str, Any]) -> None:
        """Note the anchors and the `$id` of a schema below the root, or of the root itself."""
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(name := node.get(keyword), str):
                self._anchors.setdefault(name, node)
        if isinstance(name := node.get("$id"), str) and node is not self._root:
            if name.startswith("#"):
                self._anchors.setdefault(name[1:], node)  # The anchors of draft 7 and before.
            else:
                self._has_bases = True

    def target(self, reference: str) -> Any:
        """The schema that a reference leads to, None where it leads nowhere, True where that cannot be known."""
        if self._has_bases or _META_SCHEMA.match(reference):
            return True
        base, _, fragment = reference.partition("#")
        if base and base != self._base:
            return None
        if not fragment:
            return self._root
        if not fragment.startswith("/"):
            return self._anchors.get(unquote(fragment))
        return self._at(fragment)

    def leads_somewhere(self, node: dict[str, Any], known: dict[int, bool]) -> bool:
        """Whether the `$ref` of a schema leads to a schema, and not only back to itself.

        `known` has the answers so far by the schemas' `id`, so that each is looked for once.
        """
        way: dict[int, bool] = {}
        target: Any = node
        while isinstance(target, dict) and isinstance(target.get("$ref"), str):
            if (answer := known.get(id(target))) is not None:
                break
            if id(target) in way:
                answer = False
                break
            way[id(target)] = True
            target = self.target(target["$ref"])
        else:
            answer = isinstance(target, dict | bool)
        known.update(dict.fromkeys(way, answer))
        return answer

    def moved(self, reference: str) -> str:
        """The same reference where a keyword on its way got the name that it has since 2020-12 (`prefixItems`)."""
        base, _, fragment = reference.partition("#")
        if f"/{_ITEMS}/" not in fragment or (base and base != self._base):
            return reference
        tokens = fragment.split("/")
        node: Any = self._root
        for at, token in enumerate(tokens[1:_MOST_TOKENS], 1):
            if token == _ITEMS and isinstance(node, dict) and "prefixItems" in node and _is_index(tokens, at + 1):
                tokens[at] = "prefixItems"
            node = _below(node, tokens[at])
        return f"{base}#{'/'.join(tokens)}"

    def _at(self, pointer: str) -> Any:
        node: Any = self._root
        tokens = pointer.split("/")
        if len(tokens) > _MOST_TOKENS:
            return None
        for token in tokens[1:]:
            node = _below(node, token)
        return node


def _below(node: Any, token: str) -> Any:
    name = unquote(token).replace("~1", "/").replace("~0", "~")
    if isinstance(node, dict):
        return node.get(name)
    if isinstance(node, list) and name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(node):
        return node[int(name)]
    return None


def _is_index(tokens: list[str], at: int) -> bool:
    return at < len(tokens) and tokens[at].isdigit()
