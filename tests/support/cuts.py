"""Byte streams cut anywhere, for what must not depend on how a stream arrives."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.examples import multiplied

# A busy machine is no reason to fail.
unhurried = settings(max_examples=multiplied(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def cut(data: bytes, paths: list[int]) -> list[bytes]:
    """Cut `data` at `paths`; one that comes twice, or lies outside, gives an empty piece."""
    ends = [*sorted(min(place, len(data)) for place in paths), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def in_pieces(streams: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[bytes, list[bytes]]]:
    """A stream, whole and in pieces."""

    def with_pieces(data: bytes) -> st.SearchStrategy[tuple[bytes, list[bytes]]]:
        paths = st.lists(st.integers(0, len(data)), max_size=12)
        return paths.map(lambda paths: (data, cut(data, paths)))

    return streams.flatmap(with_pieces)
