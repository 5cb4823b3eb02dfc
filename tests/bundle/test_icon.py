"""A bundle's icon is a PNG file of a useful size."""

import struct
from pathlib import Path

import pytest

from bridge.bundle.icon import LARGEST, read_icon
from bridge.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def png(width: int, height: int, kind: bytes = b"IHDR") -> bytes:
    """The beginning of a PNG file."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, kind, width, height) + b"\x08\x06\x00\x00\x00"


def test_a_real_png_file_is_read_with_its_size() -> None:
    icon = read_icon(ROOT / "docs" / "callback-page.png")
    assert icon.content == (ROOT / "docs" / "callback-page.png").read_bytes()
    assert min(icon.width, icon.height) > 100


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a PNG file"),
        (b"GIF89a" + bytes(100), "is not a PNG file"),
        (png(1, 1)[:20], "is not a PNG file"),
        (png(0, 512), "0 x 512 pixels, or damaged"),
        (png(512, 100_000), "512 x 100000 pixels, or damaged"),
        (png(512, 512, b"IDAT"), "or damaged"),
        (png(512, 512) + bytes(LARGEST), "has more than 1024 kB"),
    ],
    ids=["empty", "gif", "cut", "no-width", "huge", "no-head", "large"],
)
def test_any_other_file_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "icon.png"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_icon(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.png cannot be read"):
        read_icon(tmp_path / "none.png")
