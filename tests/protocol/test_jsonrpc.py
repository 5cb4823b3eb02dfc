"""JSON-RPC envelopes: which kind a message is, that its bytes stay the same, what is rejected."""

import json

import pytest

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, NotAMessage, Notification, NotJson, Request, Response, parse
from bridge.protocol.nesting import MAX_NESTING


def refusal(line: bytes) -> NotAMessage:
    with pytest.raises(NotAMessage) as caught:
        parse(line)
    return caught.value


def verdict(line: bytes) -> str:
    try:
        return type(parse(line)).__name__
    except (NotJson, NotAMessage) as problem:
        return type(problem).__name__


# -- what is what


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"m"}', Request),
        (b'{"jsonrpc":"2.0","id":"","method":""}', Request),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', Request),
        (b'{"jsonrpc":"2.0","method":"m"}', Notification),
        (b'{"jsonrpc":"2.0","method":"m","params":[],"extra":null}', Notification),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', Response),
        (b'{"jsonrpc":"2.0","id":1,"result":null}', Response),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":""}}', Response),
        (b'{"jsonrpc":"2.0","id":null,"error":{}}', Response),
        (b' {\t"id" : 1 ,\r"jsonrpc" : "2.0" , "method" : "m" } ', Request),
        (rb'{"json\u0072pc":"2.0","m\u0065thod":"m"}', Notification),
    ],
)
def test_a_message_is_told_by_its_members(line: bytes, kind: type[Message]) -> None:
    message = parse(line)
    assert type(message) is kind
    assert message.line is line


def test_a_request_keeps_every_byte() -> None:
    line = '{"jsonrpc":"2.0", "id":7.50, "method":"m/\\u00e9", "params": {"a": 1e400, "b":[1.10, "\u00e9"]}}'.encode()
    message = parse(line)
    assert isinstance(message, Request)
    assert (message.line, message.id, message.raw_id, message.method) == (line, 7.5, b"7.50", "m/\u00e9")
    assert bytes(message.params) == '{"a": 1e400, "b":[1.10, "\u00e9"]}'.encode()


def test_a_response_keeps_every_byte() -> None:
    result = parse(b'{"jsonrpc":"2.0","id":"a","result": [1e400,-0] }')
    assert isinstance(result, Response)
    assert (result.id, result.is_error, bytes(result.result), bytes(result.error)) == ("a", False, b"[1e400,-0]", b"")
    error = parse(b'{"jsonrpc":"2.0","id":0,"error":{"code": 1.0}}')
    assert isinstance(error, Response)
    assert (error.id, error.is_error, bytes(error.error)) == (0, True, b'{"code": 1.0}')


def test_an_error_for_no_request_that_could_be_told_has_no_id() -> None:
    message = parse(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}')
    assert isinstance(message, Response)
    assert message.id is None


@pytest.mark.parametrize("absent", ["params", "none at all"])
def test_params_may_be_absent(absent: str) -> None:
    message = parse(
        b'{"jsonrpc":"2.0","method":"m"}' if absent == "params" else b'{"jsonrpc":"2.0","id":1,"method":"m"}'
    )
    assert isinstance(message, Notification | Request)
    assert len(message.params) == 0


# -- ids


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b"9007199254740993", 9007199254740993),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"1.5", 1.5),
        (b'""', ""),
        (b'"0"', "0"),
        (rb'"\u0030"', "0"),
        ('"\u00e9"'.encode(), "\u00e9"),
        (b"1e400", b"1e400"),
        (rb'"\ud83d"', rb'"\ud83d"'),
    ],
)
def test_an_id_is_a_key(raw: bytes, key: jsonrpc.RequestId) -> None:
    assert jsonrpc.request_id(raw) == key
    assert type(jsonrpc.request_id(raw)) is type(key)
    for line in (b'{"jsonrpc":"2.0","id":%b,"method":"m"}', b'{"jsonrpc":"2.0","id":%b,"result":{}}'):
        message = parse(line % raw)
        assert isinstance(message, Request | Response)
        assert message.id == key


def test_zero_and_its_text_are_two_ids() -> None:
    assert len({jsonrpc.request_id(raw) for raw in (b"0", b'"0"', b'""', b"1")}) == 4


@pytest.mark.parametrize("raw", [b"null", b"true", b"false", b"[]", b"{}", b"[1]", b'{"a":1}', b"", b"x", b"-"])
def test_nothing_else_is_an_id(raw: bytes) -> None:
    with pytest.raises(NotAMessage):
        jsonrpc.request_id(raw)


# -- what is no message


@pytest.mark.parametrize(
    ("line", "raw_id"),
    [
        (b'{"jsonrpc":"2.0","id":7}', b"7"),
        (b'{"jsonrpc":"2.0","id":7,"result":{},"error":{}}', b"7"),
        (b'{"jsonrpc":"1.0","id":"a","method":"m"}', b'"a"'),
        (b'{"jsonrpc":2.0,"id":0,"method":"m"}', b"0"),
        (b'{"id":7.50,"method":"m"}', b"7.50"),
        (b'{"jsonrpc":"2.0","id":7,"method":5}', b"7"),
        (b'{"jsonrpc":"2.0","method":5}', b"null"),
        (b'{"jsonrpc":"2.0","result":{}}', b"null"),
        (b'{"jsonrpc":"2.0"}', b"null"),
        (b'{"jsonrpc":"1.0","id":[1],"method":"m"}', b"null"),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', b"null"),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', b"null"),
        (b'{"jsonrpc":"2.0","id":{"a":1},"result":{}}', b"null"),
        (b"{}", b"null"),
        (b"[]", b"null"),
        (b'[{"jsonrpc":"2.0","method":"m"}]', b"null"),
        (b"1", b"null"),
        (b'"m"', b"null"),
        (b"null", b"null"),
        (rb'"\ud800"', b"null"),
        (rb'{"jsonrpc":"1.0","method":"\ud800"}', b"null"),
        (rb'{"jsonrpc":"2.0","method":["\ud800"]}', b"null"),
    ],
)
def test_json_of_another_shape_is_refused_with_the_id_to_answer(line: bytes, raw_id: bytes) -> None:
    assert refusal(line).raw_id == raw_id


MESSAGE = b'{"jsonrpc":"2.0","id":1,"method":"m","params":%b}'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"{",
        b"hello",
        b'{"jsonrpc":"2.0","method":"m"} {}',
        b'{"jsonrpc":"2.0","method":"m",}',
        b'{"jsonrpc":"1.0","method":"m"',
        b'{"jsonrpc":"1.0","method":"m"}}',
        b"{'jsonrpc':'2.0'}",
        b"[1,",
        b"1 2",
        MESSAGE % b"01",
        MESSAGE % b"1.",
        MESSAGE % b"NaN",
        MESSAGE % b"[1,]",
        MESSAGE % b'"\t"',
        MESSAGE % rb'"\x41"',
        MESSAGE % rb'"\u12g4"',
        MESSAGE % rb'["\ud800",NaN]',
        MESSAGE % b'"\xff"',
        MESSAGE % b'"\xc3"',
        MESSAGE % b'"\xed\xa0\x80"',
        MESSAGE % b'"\xc0\x80"',
        MESSAGE % rb'["\ud800","%b"]' % b"\xed\xa0\x80",
        MESSAGE % (b'"' + b"x" * (1 << 20) + b'\xc3"'),
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(line: bytes) -> None:
    with pytest.raises(NotJson):
        parse(line)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-8-sig"])
@pytest.mark.parametrize("text", ["\u755cd", "\\ud800"])
def test_other_encodings_are_refused(text: str, encoding: str) -> None:
    # The bytes of U+755C in UTF-16 look like the start of an escape.
    with pytest.raises(NotJson):
        parse(f'{{"jsonrpc":"2.0","method":"{text}"}}'.encode(encoding))


def test_a_character_may_lie_across_the_slices_of_the_check() -> None:
    for shift in range(4):
        line = MESSAGE % ('"' + "x" * ((1 << 20) - 47 + shift) + "\U0001f600" * 8 + '"').encode()
        assert parse(line).line == line


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("first", [b"1", rb'"\ud800"'])
@pytest.mark.parametrize("beyond", [0, 1, 400, 600, 12_000, 500_000])
def test_nesting_is_taken_up_to_the_limit_and_refused_beyond_it(
    beyond: int, first: bytes, start: bytes, end: bytes
) -> None:
    inner = MAX_NESTING - 2 + beyond  # The envelope and the array around both are two levels.
    nested = b"[" + first + b"," + start * inner + b"1" + end * inner + b"]"
    assert verdict(MESSAGE % nested) == ("NotJson" if beyond else "Request")
    assert verdict(b'{"jsonrpc":"1.0","id":1,"x":' + nested + b"}") == ("NotJson" if beyond else "NotAMessage")


def test_nesting_that_a_string_hides_is_taken_or_refused_and_nothing_else() -> None:
    for depth in (700, 990, 12_000):
        hidden = b'["' + b"]" * 1_000_000 + b'",' + b"[" * depth + b"]" * depth + b"]"
        assert verdict(MESSAGE % hidden) in {"Request", "NotJson"}
        assert verdict(b'{"jsonrpc":"1.0","id":1,"x":' + hidden + b"}") in {"NotAMessage", "NotJson"}


# -- lone surrogates


def test_an_escaped_lone_surrogate_passes_as_it_came() -> None:
    line = rb'{"jsonrpc":"2.0","id":"x","method":"m","params":{"t":"cut \ud83d","u":"\uDE00"}}'
    message = parse(line)
    assert isinstance(message, Request)
    assert (message.line, message.id, message.method) == (line, "x", "m")
    assert json.loads(bytes(message.params)) == {"t": "cut \ud83d", "u": "\ude00"}
    answer = parse(rb'{"jsonrpc":"2.0","id":0,"result":{"t":"\ud83d"}}')
    assert isinstance(answer, Response)
    assert (answer.id, json.loads(bytes(answer.result))) == (0, {"t": "\ud83d"})


def test_a_pair_of_surrogates_is_an_ordinary_character() -> None:
    message = parse(rb'{"jsonrpc":"2.0","id":"\ud83d\ude00","method":"m"}')
    assert isinstance(message, Request)
    assert message.id == "\U0001f600"


# -- batches


@pytest.mark.parametrize(
    ("line", "members"),
    [
        (b"[]", []),
        (b"[1]", [b"1"]),
        (b'[ {"a": 1.50} , [2], "x" ]', [b'{"a": 1.50}', b"[2]", b'"x"']),
    ],
)
def test_the_members_of_a_batch_keep_their_bytes(line: bytes, members: list[bytes]) -> None:
    assert jsonrpc.is_batch(line)
    assert jsonrpc.batch_members(line) == members


def test_a_line_is_read_as_a_message_or_as_the_members_of_a_batch() -> None:
    line = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    assert jsonrpc.read(line) == parse(line)
    assert jsonrpc.read(b"[%b,1]" % line) == [line, b"1"]
    assert jsonrpc.read_body(b"\xef\xbb\xbf \n[\n%b]\n" % line) == [line]
    with pytest.raises(NotJson):
        jsonrpc.read_body(b"\n{\n")


@pytest.mark.parametrize(
    ("members", "is_error"),
    [(b'"result":{}', False), (b'"error":{}', True), (b'"result":{},"error":null', False), (b'"error":1', True)],
)
def test_whether_an_answer_is_an_error_is_read_once(members: bytes, is_error: bool) -> None:
    answer = parse(b'{"jsonrpc":"2.0","id":1,%b}' % members)
    assert isinstance(answer, Response)
    assert answer.is_error is is_error


def test_a_batch_may_hold_lone_surrogates() -> None:
    line = rb'[{"jsonrpc":"2.0","id":1,"method":"m","params":{"t":"\ud83d"}},{"jsonrpc":"2.0","method":"n"}]'
    first, second = map(parse, jsonrpc.batch_members(line))
    assert isinstance(first, Request)
    assert json.loads(bytes(first.params)) == {"t": "\ud83d"}
    assert isinstance(second, Notification)


@pytest.mark.parametrize("line", [b"[", b"[1", b"[1,]", b"[1] 2", b"[nope]", rb'["\ud800"', rb'["\ud800",NaN]'])
def test_a_broken_batch_is_refused(line: bytes) -> None:
    with pytest.raises(NotJson):
        jsonrpc.batch_members(line)


def test_a_batch_nested_too_deeply_is_refused() -> None:
    for inner in (b"", rb'"\ud800"'):
        for beyond in (1, 600, 100_000):
            with pytest.raises(NotJson):
                jsonrpc.batch_members(b"[" * (MAX_NESTING + beyond) + inner + b"]" * (MAX_NESTING + beyond))
        assert jsonrpc.batch_members(b"[" * MAX_NESTING + inner + b"]" * MAX_NESTING)


@pytest.mark.parametrize("line", [b"{}", b'"[]"', b"1", b""])
def test_anything_else_is_no_batch(line: bytes) -> None:
    assert not jsonrpc.is_batch(line)


# -- lines


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b'{\n  "a": 1\n}\n', b'{   "a": 1 }'),
        (b'\r\n{\r\n"a": 1}\r\n', b'{  "a": 1}'),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
        (b'{"a":"x\ny"}', b'{"a":"x y"}'),
        (rb'{"a":"x\ny"}', rb'{"a":"x\ny"}'),
        (b" \n ", b""),
        (b"", b""),
    ],
)
def test_a_body_becomes_a_single_line(body: bytes, line: bytes) -> None:
    assert jsonrpc.single_line(body) == line


@pytest.mark.parametrize("raw_id", [b"0", b'"a"', b"1e400", b"null", rb'"\ud83d"'])
def test_an_error_of_the_bridges_own(raw_id: bytes) -> None:
    line = jsonrpc.error_line(raw_id, -32000, 'It "broke"\n\u00e9', {"kind": "timeout", "status": 502})
    assert b"\n" not in line
    message = parse(line)
    assert isinstance(message, Response)
    assert message.id == (None if raw_id == b"null" else jsonrpc.request_id(raw_id))
    assert json.loads(bytes(message.error)) == {
        "code": -32000,
        "message": 'It "broke"\n\u00e9',
        "data": {"kind": "timeout", "status": 502},
    }


def test_an_error_may_come_without_data() -> None:
    error = json.loads(jsonrpc.error_line(b"1", -32700, "No."))["error"]
    assert error == {"code": -32700, "message": "No."}
