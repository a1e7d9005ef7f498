"""Messages to one peer wait in a bounded queue for each lane, and the most urgent piece is sent first."""

import asyncio
from collections import deque

from inos.network.errors import LinkError
from inos.network.wire.base import Message
from inos.network.wire.framing import split
from inos.network.wire.limits import QUEUE_BYTES, QUEUE_MESSAGES, Lane, get_limit
from inos.network.wire.messages import encode_message


class SendQueue:
    """Takes messages and gives frames. Every lane has a limit, the most urgent one too."""

    def __init__(self) -> None:
        self._frames: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._waiting: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._bytes: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._has_frames = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_closed = False
        self.put_bytes = 0
        """This many bytes were `put` so far, without the bulk lane."""

    def offer(self, message: Message) -> bool:
        """Queue a message and return True, or return False if its lane is full; never wait."""
        return self._offer(get_limit(type(message)).lane, encode_message(message))

    def _offer(self, lane: Lane, data: bytes) -> bool:
        waiting = self._waiting[lane]
        if self._is_closed or len(waiting) >= QUEUE_MESSAGES:
            return False
        # An empty lane takes any one message; a message larger than the lane could otherwise never be sent.
        if self._bytes[lane] and self._bytes[lane] + len(data) > QUEUE_BYTES[lane]:
            return False
        waiting.append(data)
        self._bytes[lane] += len(data)
        self._has_frames.set()
        return True

    async def put(self, message: Message) -> None:
        """Queue a message, waiting for room (the session ends a peer that makes none).

        Raises:
            LinkError: "link-closed".
        """
        lane, data = get_limit(type(message)).lane, encode_message(message)
        while not self._offer(lane, data):
            if self._is_closed:
                raise LinkError("link-closed", "the link is closed")
            self._has_room.clear()
            await self._has_room.wait()
        self.put_bytes += len(data) if lane is not Lane.BULK else 0

    async def next_frame(self) -> bytes:
        """Wait for a piece and return the most urgent one."""
        while True:
            for lane in Lane:
                frame = self._pop(lane)
                if frame is not None:
                    return frame
            self._has_frames.clear()
            await self._has_frames.wait()

    def _pop(self, lane: Lane) -> bytes | None:
        frames = self._frames[lane]
        if not frames:
            if not self._waiting[lane]:
                return None
            frames.extend(split(self._waiting[lane].popleft(), lane))
        frame = frames.popleft()
        self._bytes[lane] -= len(frame) - 1
        self._has_room.set()
        return frame

    def count_bytes(self) -> int:
        """Return the number of bytes that wait, over all lanes."""
        return sum(self._bytes.values())

    def close(self) -> None:
        """Accept no more messages, drop those that wait, and wake the tasks that wait for room."""
        self._is_closed = True
        for lane in Lane:
            self._frames[lane].clear()
            self._waiting[lane].clear()
            self._bytes[lane] = 0
        self._has_room.set()
