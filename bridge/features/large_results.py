"""`--max-result`: a result of a tool that is larger is saved to a file, and the host gets its beginning and the path.

A result of any other form than the standard's, such as a question (`input_required`) or a task, passes whole. What the
host gets is a result again, of the same revision (MCP 2025-11-25, Tools, Tool Result):

| member | what the host gets |
|---|---|
| `content` | a text that names the file; then what was there, in its order, as far as it fits; text is cut |
| `structuredContent` | the same, if it takes no more than half of what is allowed |
| the same, of one text (as SDKs wrap a tool's return value) | the text about the file and the beginning |
| the same, of anything else | nothing, and `isError` |
| `resultType`, `isError` | the same |
| any other | the same, if it fits in what is left |

**Why `isError`.** A tool with an `outputSchema` must give `structuredContent`, and the SDKs refuse a result without it,
but not a result that is an error. One that is cut would not follow the schema, unless it is a text. The text about the
file says that the tool did not fail. Some hosts show the model only `structuredContent` where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Octets, Request, Response
from bridge.protocol.messages import decoded
from bridge.protocol.sanitize import shown
from bridge.protocol.writing import Members
from bridge.session.commands import SaveResult
from bridge.session.events import ResultSaved

_CONTENT, _STRUCTURED, _IS_ERROR, _RESULT_TYPE = "content", "structuredContent", "isError", "resultType"
_COMPLETE = Raw(b'"complete"')
_SMALL = 64
_LEAST_TEXT = 20
_LONGEST_NAME = 80


class _Block(msgspec.Struct, frozen=True, gc=False):
    """A block of content: each has a `type`, and only a text has a `text` (a `resource` has its own, further down)."""

    type: str
    text: Raw = Raw()


# The first decoder refuses hostile lists, such as one of a million numbers, before there is an object for each member.
_decode_blocks = partial(msgspec.json.decode, type=list[_Block])
_decode_list = partial(msgspec.json.decode, type=list[Raw])
_decode_text = partial(msgspec.json.decode, type=str)


class LargeResults:
    """Finds the results that have more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last_number = 0

    def of(self, request: Request, response: Response) -> LargeResult | None:
        """The result in this answer, if it is too large for the host."""
        if response.is_error or len(response.result) <= self._limit or request.method != mcp.TOOLS_CALL:
            return None
        members = writing.members(response.result)
        is_usual = _is(members.get(_RESULT_TYPE, _COMPLETE), bytes(_COMPLETE))
        if not is_usual or (_CONTENT not in members and _STRUCTURED not in members):
            return None
        self._last_number += 1
        return LargeResult(self._last_number, request, response, members, self._limit)


class LargeResult:
    """A result that is being saved. `number` is that of the command, and is never used twice in a run."""

    def __init__(self, number: int, request: Request, response: Response, members: Members, limit: int) -> None:
        self.number = number
        self._request = request
        self._response = response
        self._members = members
        self._limit = limit
        self._tool = shown(messages.named(request.params), _LONGEST_NAME)

    @property
    def command(self) -> SaveResult:
        """What has to be done before the host can have it."""
        return SaveResult(self.number, messages.named(self._request.params), self._response.result)

    def told(self, saved: ResultSaved, report: Callable[[str, str], None]) -> Response:
        """What the host gets instead; the whole result, if it could not be saved. `report` as in `FeatureContext`."""
        size = len(self._response.result)
        if saved.problem:
            said = f"the result of the tool {self._tool} ({size:,} bytes) was not saved: {saved.problem}"
            report("warning", f"{said}; the host gets all of it")
            return self._response
        report("info", f"the result of the tool {self._tool} ({size:,} bytes) was saved to {saved.path}")
        shortened = _Shortened(self._members, self._limit, saved, size)
        return writing.result(self._request.raw_id, shortened.encoded())


def text_of(result: Octets) -> str:
    """The texts in the content of a result, one below the other; empty where there are none that can be read.

    It takes time that grows with the result.
    """
    content = writing.members(result).get(_CONTENT, Raw())
    blocks = decoded(_decode_blocks, content) or []
    texts = [decoded(_decode_text, block.text) for block in blocks if block.type == "text"]
    return "\n".join(text for text in texts if text)


class _Shortened:
    """The beginning of a result of `size` bytes, in `limit` bytes or a little more."""

    def __init__(self, members: Members, limit: int, saved: ResultSaved, size: int) -> None:
        self._members = members
        self._limit = limit
        self._saved = saved
        self._size = size
        self._is_error = _is(members.get(_IS_ERROR, Raw()), b"true")
        self._left = limit - len(self._about_file(follows=True, drops_structured=True))

    def encoded(self) -> bytes:
        """The result that the host gets."""
        structured = self._members.get(_STRUCTURED, Raw())
        told = {_CONTENT: Raw()}
        for name in (_RESULT_TYPE, _IS_ERROR):
            self._keep(name, told)
        if len(structured) <= self._limit // 2:
            self._keep(_STRUCTURED, told)
        elif len(cut := self._one_text_cut(structured)):
            told[_STRUCTURED] = cut
        drops_structured = len(structured) > 0 and _STRUCTURED not in told
        blocks = self._blocks()
        if drops_structured:
            told[_IS_ERROR] = Raw(b"true")
            if not blocks and (block := self._beginning(structured)) is not None:
                blocks.append(block)
        about = self._about_file(follows=bool(blocks), drops_structured=drops_structured)
        told[_CONTENT] = Raw(b"[" + b",".join([about, *blocks]) + b"]")
        for name in self._members.keys() - told.keys() - {_STRUCTURED}:
            self._keep(name, told)
        return msgspec.json.encode(told)

    def _keep(self, name: str, told: Members) -> None:
        """Take a member over, if it is there and fits."""
        value = self._members.get(name, Raw())
        if 0 < len(value) <= self._left:
            self._left -= len(value)
            told[name] = value

    def _one_text_cut(self, structured: Raw) -> Raw:
        """An object with one member, which is a text, and of that the beginning; empty for any other object."""
        members = writing.members(structured)
        value = next(iter(members.values()), Raw())
        text = decoded(_decode_text, value) if len(members) == 1 and _is_text(value) else None
        if text is None:
            return Raw()
        about = self._words(follows=True, drops_structured=False)
        room = self._left // 2
        cut = Raw(msgspec.json.encode({name: Raw(_cut(f"{about}\n{text}", room)) for name in members}))
        self._left -= len(cut)
        return cut

    def _blocks(self) -> list[bytes]:
        """The content, as far as it fits. After a text that was cut there is no other."""
        content = self._members.get(_CONTENT, Raw())
        typed = decoded(_decode_blocks, content) or []
        kept: list[bytes] = []
        is_cut = False
        for block, raw in zip(typed, decoded(_decode_list, content) or [] if typed else [], strict=False):
            is_text = block.type == "text"
            if len(raw) <= self._left and not (is_text and is_cut):
                kept.append(bytes(raw))
                self._left -= len(raw)
            elif is_text and not is_cut:
                is_cut = True
                if (beginning := self._beginning(block.text, writing.members(raw))) is not None:
                    kept.append(beginning)
        return kept

    def _beginning(self, text: Raw, block: Members | None = None) -> bytes | None:
        """A text block with the beginning of a JSON text, or of any JSON; None where that is not worth it."""
        members = {"type": Raw(b'"text"')} if block is None else {**block}
        room = self._left - sum(len(name) + len(value) for name, value in members.items() if name != "text") - _SMALL
        if room < _LEAST_TEXT:
            return None
        whole = decoded(_decode_text, text) if _is_text(text) else None
        if whole is None:
            whole = bytes(memoryview(text)[:room]).decode("utf-8", "ignore")
        members["text"] = Raw(_cut(whole, room))
        self._left = 0
        return msgspec.json.encode(members)

    def _about_file(self, *, follows: bool, drops_structured: bool) -> bytes:
        words = self._words(follows=follows, drops_structured=drops_structured)
        return msgspec.json.encode({"type": "text", "text": words})

    def _words(self, *, follows: bool, drops_structured: bool) -> str:
        said = (
            f"[{PROGRAM}] The result of this tool has {self._size:,} bytes, and --max-result allows {self._limit:,}."
            f" All of it was saved, as JSON, to {self._saved.path}"
        )
        said += f" ; its text alone to {self._saved.text_path} ." if self._saved.text_path else " ."
        if follows:
            said += " Its beginning follows."
        if drops_structured and not self._is_error:
            said += (
                " The tool did not fail. This is marked as an error only because the structuredContent is too large,"
                " and hosts refuse a result without it."
            )
        return said


def _cut(text: str, room: int) -> bytes:
    """The beginning of a text as JSON, in so many bytes. No character is cut."""
    text = text[: max(room, 0)].encode()[: max(room, 0)].decode("utf-8", "ignore")
    while len(encoded := msgspec.json.encode(text)) > max(room, 2):
        # Quotation marks, line ends and others are longer in JSON.
        text = text[: len(text) * room // len(encoded)]
    return encoded


def _is(value: Raw, text: bytes) -> bool:
    """Whether a value, which may be huge, is this short text."""
    return len(value) == len(text) and bytes(value) == text


def _is_text(value: Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b'"'
