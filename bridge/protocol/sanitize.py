"""Text from others made printable: for one line of a sentence, of a page, of a terminal, of a log.

Characters that are not displayed can hide instructions to a model, forge a line, control a terminal or reverse the
text beside them. So each character is treated by its general category (Unicode, 4.5) or by name. `shown` is for
sentences and pages; `escaped` is for logs and terminals, where nothing may get lost:

| character | `shown` | `escaped` |
|---|---|---|
| spaces (Zs), and U+2800, which looks like one | one space for all in a row | a space |
| control characters (Cc), line and paragraph separators (Zl, Zp) | the same | its number |
| format (Cf): zero width, direction, tags, soft hyphen | left out | its number |
| surrogates (Cs), private use (Co), unassigned (Cn) | left out | its number |
| other `Default_Ignorable_Code_Point`: fillers, variation selectors, U+034F | left out | its number |

A server's sentence inside one of the bridge's own is marked as the server's (`said`, `quoted`): in quotation marks that
it cannot close, short, and without links. A link there would look as if the bridge recommended it. The whole link is
removed, because its host name is what misleads the user; the other words still tell what went wrong. What is an address
by its purpose, such as an issuer, is shown as one (`address`), because the user has to compare it: scheme, host and
path, but not the query, which may hold any text, and no character that a URL cannot have.
"""

from __future__ import annotations

import re
from itertools import chain

WORDS = 240
"""The longest sentence of a server's that is quoted, in characters."""
ADDRESS = 160
"""The longest address of a server's that is shown in a sentence, in characters."""
NAME = 120
"""The longest name, such as a method's or a URI, that is shown in a sentence, in characters."""
EXCERPT = 300
"""How much of a body that cannot be read is shown, in characters."""
PROBLEM = 200
"""The longest text of an exception that is shown, in characters."""
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
# Browsers accept one slash or a backslash in place of two slashes, and hosts turn names without a scheme into links.
_LINK = (
    r'(?i)(?<![\w.+-])(?:[a-z][a-z0-9+.-]{0,30}:[/\\]+[^\s"]+|(?:mailto|javascript|vbscript):[^\s"]+|www\.[^\s"]+'
    r'|[\w-]{1,63}(?:\.[\w-]{1,63})+(?::\d{1,5})?(?:/[^\s"]*|[?#][^\s"]+))|[/\\]{2,}[^\s"]*'
)

# The first character that a URL's path cannot have, or that could close a quotation, and everything after it.
_NOT_ADDRESS = r"(?s)[^A-Za-z0-9:/.\[\]_~%+@=,;!$&*-].*"


def sentence(text: str) -> str:
    """`text` with a full stop at its end, unless it ends as a sentence does."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def shown(text: str, longest: int = NAME) -> str:
    """`text` on one line of at most `longest` characters, all of them visible; see the table."""
    return _cut(_visible(text[: 4 * longest]), longest)


def excerpt(octets: bytes | bytearray, longest: int = EXCERPT) -> str:
    """The beginning of what a peer sent, as `shown` would have it. Bytes that are not UTF-8 become U+FFFD."""
    return shown(octets[: 4 * longest].decode("utf-8", "replace"), longest)


def problem_text(problem: BaseException) -> str:
    """What an exception says, without its full stop; the name of its class where it says nothing."""
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return shown(text, PROBLEM).rstrip(".")


def escaped(text: str, longest: int | None = None) -> str:
    """`text` on one line with everything in it, as a log needs it, cut where `longest` is given; see the table."""
    # Nearly all texts need no change.
    line = text if text.isascii() and text.isprintable() else "".join(map(_escaped, text))
    return line if longest is None or len(line) <= longest else f"{line[: longest - 3]}..."


def quoted(text: str, longest: int = WORDS) -> str:
    """A server's words in quotation marks, without links; empty where they have no visible character."""
    line = re.sub(_LINK, LINK_REMOVED, _visible(text[: 4 * longest]))
    # Neither a quotation mark nor a Markdown link.
    line = line.replace('"', "'").replace("](", "] (").rstrip(". ")
    return f'"{_cut(line, longest)}"' if line else ""


def said(text: str, longest: int = WORDS) -> str:
    """The same as a clause that says whose words they are; empty where they have no visible character."""
    words = quoted(text, longest)
    return f"the server said: {words}" if words else ""


def with_words(statement: str, text: str) -> str:
    """One sentence: `statement`, which has no full stop, and after it what the server said, if anything."""
    words = said(text)
    return f"{statement}; {words}." if words else f"{statement}."


def address(text: str, longest: int = ADDRESS) -> str:
    """A server's URL without user name, query and fragment, up to the first character that a URL cannot have."""
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
