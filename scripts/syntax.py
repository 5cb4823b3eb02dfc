"""The syntax tree of a source, parsed and walked once in a process.

Several rules of the tests, and the pages made from the code, look at all files of `bridge/`: each parse of them all
takes half a second, and each walk as long again. No one may change what is found here, for it is shared.
"""

from __future__ import annotations

import ast
from functools import cache


@cache
def tree_of(source: str) -> ast.Module:
    """Return the tree. Raises `SyntaxError`."""
    return ast.parse(source)


@cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """Return the nodes of the tree, each before its children, as `ast.walk` does. Raises `SyntaxError`."""
    return tuple(ast.walk(tree_of(source)))
