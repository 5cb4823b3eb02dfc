"""A value in pieces: any bytes come back, and a damaged one is none."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.store.chunks import CHUNK, LIMIT, drop_chunks, load_chunks, save_chunks
from tests.store.rings import OTHER, SLOT, WindowsRing
from tests.support.cuts import unhurried

GENERATION = "0011223344556677"
NEXT = "8899aabbccddeeff"


def check() -> None:
    pass


def stored(data: bytes) -> WindowsRing:
    ring = WindowsRing()
    save_chunks(ring, SLOT, GENERATION, data, check)
    return ring


@unhurried
@given(st.binary(max_size=5000))
def test_any_bytes_come_back(data: bytes) -> None:
    ring = stored(data)
    assert load_chunks(ring, SLOT, GENERATION, check) == data
    assert all(len(piece) <= CHUNK for piece in ring.entries.values())
    drop_chunks(ring, SLOT, GENERATION, check)
    assert ring.entries == {}


@unhurried
@given(st.binary(max_size=4000), st.data())
def test_a_damaged_value_is_none(data: bytes, draw: st.DataObject) -> None:
    ring = stored(data)
    name = draw.draw(st.sampled_from(sorted(ring.entries)))
    text = ring.entries[name]
    change = draw.draw(st.sampled_from(["remove", "cut", "empty", "swap", "other"]))
    if change == "remove":
        del ring.entries[name]
    elif change == "cut":
        ring.entries[name] = text[:-4]
    elif change == "empty":
        ring.entries[name] = ""
    elif change == "swap":
        ring.entries[name] = text.swapcase()
    else:
        ring.entries[name] = draw.draw(st.text(max_size=50))
    if ring.entries.get(name) != text:
        assert load_chunks(ring, SLOT, GENERATION, check) is None
    drop_chunks(ring, SLOT, GENERATION, check)
    assert ring.entries == {}


def test_the_largest_value_fits() -> None:
    ring = stored(b"x" * LIMIT)
    assert load_chunks(ring, SLOT, GENERATION, check) == b"x" * LIMIT
    drop_chunks(ring, SLOT, GENERATION, check)
    assert ring.entries == {}


def test_slots_and_generations_do_not_meet() -> None:
    ring = stored(b"a" * 3000)
    save_chunks(ring, SLOT, NEXT, b"b" * 3000, check)
    save_chunks(ring, OTHER, GENERATION, b"c" * 3000, check)
    drop_chunks(ring, SLOT, GENERATION, check)
    assert load_chunks(ring, SLOT, GENERATION, check) is None
    assert load_chunks(ring, SLOT, NEXT, check) == b"b" * 3000
    assert load_chunks(ring, OTHER, GENERATION, check) == b"c" * 3000


def test_a_huge_number_of_pieces_is_not_believed() -> None:
    ring = stored(b"x")
    [name] = ring.entries
    for count in ("0", "101", "9" * 5000, "\u0661", "-1", ""):
        ring.entries[name] = f"{count} {'0' * 64} eA=="
        ring.calls.clear()
        assert load_chunks(ring, SLOT, GENERATION, check) is None
        assert ring.calls == ["get"]
