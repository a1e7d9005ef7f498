"""Messages travel in pieces of at most 64 KB, so that an urgent message never waits for a whole long one.

A frame is one byte (0x80 on a message's last piece, the lane in the low bits, the rest zero) and 1 to PIECE_BYTES
bytes. Each lane carries one message at a time, so a frame needs no other field.
"""

from collections.abc import Callable, Iterator
from typing import Final

from inos.network.errors import Misbehaviour
from inos.network.link import MAX_FRAME_BYTES
from inos.network.wire.base import Message, Reply
from inos.network.wire.limits import Lane, get_limit
from inos.network.wire.messages import peek_kind

PIECE_BYTES: Final = MAX_FRAME_BYTES - 1
LAST: Final = 0x80
_KNOWN_BITS: Final = LAST | 0x03


def split(data: bytes, lane: Lane) -> Iterator[bytes]:
    """Return the frames of one encoded message."""
    for start in range(0, len(data), PIECE_BYTES):
        is_last = start + PIECE_BYTES >= len(data)
        yield bytes([lane | (LAST if is_last else 0)]) + data[start : start + PIECE_BYTES]


def _expect_any(kind: type[Reply]) -> bool:
    return True


class Assembler:
    """Assembles the pieces of one peer; it holds at most one unfinished message per lane.

    Args:
        expects: says if a reply of a kind was requested; pieces of other replies are not kept.
    """

    def __init__(self, expects: Callable[[type[Reply]], bool] = _expect_any) -> None:
        self._expects = expects
        self._parts: dict[Lane, bytearray] = {}
        self._kinds: dict[Lane, type[Message]] = {}

    def add(self, frame: bytes) -> tuple[type[Message], bytes] | None:
        """Add a frame; return kind and bytes of a message that is now whole, or else None.

        Raises:
            Misbehaviour: "bad-frame", "wrong-lane", "too-large", "short-piece", "unsolicited", or what peek_kind
                raises.
        """
        if len(frame) < 2 or len(frame) > MAX_FRAME_BYTES or frame[0] & ~_KNOWN_BITS:
            raise Misbehaviour("bad-frame", f"a frame of {len(frame)} bytes has an invalid length or first byte")
        lane, is_last, piece = Lane(frame[0] & 0x03), bool(frame[0] & LAST), frame[1:]
        if not is_last and len(piece) != PIECE_BYTES:
            # A message could otherwise be sent a byte at a time, each of which costs a decryption and a task switch.
            raise Misbehaviour(
                "short-piece", f"a piece of {len(piece)} bytes is too short, because it is not its message's last"
            )
        kind = self._kinds.get(lane)
        if kind is None:
            kind = peek_kind(piece)
            if get_limit(kind).lane is not lane:
                raise Misbehaviour("wrong-lane", f"a {kind.__name__} was sent in lane {lane.name}")
            if not is_last and issubclass(kind, Reply) and not self._expects(kind):
                # A whole one costs points when it is here, but unfinished ones would only take memory.
                raise Misbehaviour("unsolicited", f"the peer begins a long {kind.__name__} that was not requested", 20)
        parts = self._parts.get(lane, bytearray())
        limit = get_limit(kind).max_bytes
        if len(parts) + len(piece) > limit:
            raise Misbehaviour("too-large", f"a {kind.__name__} has more than {limit} bytes")
        if is_last:
            self._parts.pop(lane, None)
            self._kinds.pop(lane, None)
            return kind, bytes(parts) + piece if parts else piece
        parts += piece
        self._parts[lane], self._kinds[lane] = parts, kind
        return None
