"""Words that others wrote, made fit to be read by a model, by a user, on a page and in a log.

What nothing shows could hide an order to a model, forge a line, steer a terminal or turn round what stands beside it.
So this is done with each character, by its general category (Unicode, 4.5) or by name:

| character | `shown` | `escaped` |
|---|---|---|
| spaces (Zs), and U+2800, which looks like one | one space for all in a row | a space |
| control characters (Cc), line and paragraph separators (Zl, Zp) | the same | its number |
| format (Cf): zero width, direction, tags, soft hyphen | left out | its number |
| surrogates (Cs), private use (Co), unassigned (Cn) | left out | its number |
| `Default_Ignorable_Code_Point` besides: fillers, variation selectors, U+034F | left out | its number |

Sentences of a server's that stand in one of the bridge's own are marked as such (`said`, `quoted`): in quotation marks
that they cannot end, short, and without links. A link there would be one that the bridge seems to hand on. It is taken
out whole, for the host's name is the very thing that leads the user astray; the other words tell what went wrong. What
is an address by its purpose, such as an issuer, is shown as one (`address`), for the user has to compare it: scheme,
host and path, but not the query, where any text may stand, and nothing that no address holds.
"""

from __future__ import annotations

import re
from itertools import chain

WORDS = 240
"""The longest sentence of a server's that is quoted, in characters."""
ADDRESS = 160
"""The longest address of a server's that is shown in a sentence, in characters."""
LINK_REMOVED = "[link removed]"

_BLANK = "\u2800"
_IGNORABLE = frozenset(
    map(
        chr,
        chain(
            *((0x034F,), (0x115F, 0x1160), (0x17B4, 0x17B5), range(0x180B, 0x1810), (0x3164, 0xFFA0)),
            *(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)),
        ),
    )
)
# Browsers take one slash or a backslash for two slashes, and hosts make links of names without a scheme too.
_LINK = (
    r'(?i)(?<![\w.+-])(?:[a-z][a-z0-9+.-]{0,30}:[/\\]+[^\s"]+|(?:mailto|javascript|vbscript):[^\s"]+|www\.[^\s"]+'
    r'|[\w-]{1,63}(?:\.[\w-]{1,63})+(?::\d{1,5})?(?:/[^\s"]*|[?#][^\s"]+))|[/\\]{2,}[^\s"]*'
)

# What begins with the first character that is not in a URL's path, or that could end a quotation.
_NOT_ADDRESS = r"(?s)[^A-Za-z0-9:/.\[\]_~%+@=,;!$&*-].*"


def sentence(text: str) -> str:
    """`text` with a full stop at its end."""
    return text if text.endswith(".") else f"{text}."


def shown(text: str, longest: int) -> str:
    """`text` on one line of at most `longest` characters, each of which can be seen; see the table."""
    return _cut(_visible(text[: 4 * longest]), longest)


def escaped(text: str) -> str:
    """`text` on one line with everything in it, as a log needs it; see the table."""
    if text.isascii() and text.isprintable():
        return text  # As nearly all are.
    return "".join(map(_escaped, text))


def quoted(text: str, longest: int = WORDS) -> str:
    """A server's words in quotation marks, without links; empty where they say nothing."""
    line = re.sub(_LINK, LINK_REMOVED, _visible(text[: 4 * longest]))
    # Neither the end of the quotation nor a link of Markdown's.
    line = line.replace('"', "'").replace("](", "] (").rstrip(". ")
    return f'"{_cut(line, longest)}"' if line else ""


def said(text: str, longest: int = WORDS) -> str:
    """The same as a clause that says whose words they are; empty where they say nothing."""
    words = quoted(text, longest)
    return f"the server said: {words}" if words else ""


def with_words(statement: str, text: str) -> str:
    """A statement, without its full stop, and what the server said with that, if anything; one sentence."""
    words = said(text)
    return f"{statement}; {words}." if words else f"{statement}."


def address(text: str, longest: int = ADDRESS) -> str:
    """The beginning of a server's URL: no user name, query and fragment, no space, and nothing that no URL holds."""
    named = re.sub(r"//[^/?#]*@", "//", text[: 4 * longest], count=1)
    kept = re.sub(_NOT_ADDRESS, "", named)
    return _cut(kept if kept == named else f"{kept}...", longest)


def _visible(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_seen, text))
    return " ".join(text.split())


def _seen(char: str) -> str:
    if char.isspace() or char == _BLANK or char < " " or "\x7f" <= char <= "\x9f":
        return " "
    return char if char.isprintable() and char not in _IGNORABLE else ""


def _escaped(char: str) -> str:
    if char.isprintable() and char not in _IGNORABLE and char != _BLANK:
        return char
    if char == _BLANK or (char > "\x9f" and char.isspace() and char not in "\u2028\u2029"):
        return " "
    return char.encode("unicode_escape").decode("ascii")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."
