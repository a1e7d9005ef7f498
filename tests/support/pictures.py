"""Reads and writes PNG files of 8 bits a channel, and shrinks pictures as examples/functions/thumbnail.c does."""

import struct
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KINDS: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""The color types by the number of channels."""


def write_png(pixels: NDArray[np.uint8], level: int = 6, palette: bytes | None = None) -> bytes:
    """Encode rows x columns x channels, the rows with each of the five filters in turn."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, -1).astype(np.int16)
    up = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left, corner = (np.hstack([np.zeros((height, channels), np.int16), a[:, :-channels]]) for a in (rows, up))
    guesses = (np.zeros_like(rows), left, up, (left + up) // 2, _predict(left, up, corner))
    lines = [bytes([y % 5]) + (rows[y] - guesses[y % 5][y]).astype(np.uint8).tobytes() for y in range(height)]
    packed = zlib.compress(b"".join(lines), level)
    kind = KINDS[channels] if palette is None else 3
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)), (b"tEXt", b"Title\0test")]
    parts += [(b"PLTE", palette)] if palette is not None else []
    parts += [(b"IDAT", packed[: len(packed) // 2]), (b"IDAT", packed[len(packed) // 2 :]), (b"IEND", b"")]
    return SIGNATURE + b"".join(_make_chunk(name, body) for name, body in parts)


def read_png(data: bytes) -> NDArray[np.uint8]:
    """Decode a PNG whose rows have no filter; all checksums are checked."""
    assert data.startswith(SIGNATURE)
    at, packed, head = len(SIGNATURE), b"", b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert data[at : at + 12 + length] == _make_chunk(name, body)
        packed += body if name == b"IDAT" else b""
        head = body if name == b"IHDR" else head
        at += 12 + length
    width, height, depth, kind = struct.unpack(">IIBB", head[:10])
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    channels = next(count for count, each in KINDS.items() if each == kind)
    return rows[:, 1:].reshape(height, width, channels)


def shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the thumbnail whose longer side has `side` pixels: rounded means of the pixels that each one covers."""
    height, width, channels = pixels.shape
    longer = max(height, width)
    rows, cols = (max(1, (each * side + longer // 2) // longer) for each in (height, width))
    small = np.zeros((rows, cols, channels), np.uint8)
    for y, x in np.ndindex(rows, cols):
        part = pixels[y * height // rows : (y + 1) * height // rows, x * width // cols : (x + 1) * width // cols]
        count = part.shape[0] * part.shape[1]
        small[y, x] = (part.reshape(count, channels).sum(0, dtype=np.int64) + count // 2) // count
    return small


def _predict(left: NDArray[Any], up: NDArray[Any], corner: NDArray[Any]) -> NDArray[Any]:
    """Return the Paeth predictor of the PNG specification."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearer = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearer)


def _make_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
