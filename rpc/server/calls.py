"""The calls of one turn of the event loop begin together, so that those of one method can be processed in one go."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import structlog
from msgspec import Struct

from inos.rpc.errors import RpcError
from inos.rpc.server.dispatch import MAX_BATCH, Caller, Dispatcher, encode_error, parse
from inos.rpc.server.posts import Post, PostReader, Responses
from inos.rpc.server.turns import Turns

log: Final = structlog.get_logger("rpc")

OWNER: Final = Caller(is_authorized=True)
ANYBODY: Final = Caller(is_authorized=False)


class Asker(Protocol):
    """Waits for the answer to one request; inos.rpc.server.connections.Connection satisfies it."""

    def answer(self, response: bytes) -> None:
        """Take the response."""

    def abort(self) -> None:
        """Give up, because there will be no response."""


class _Call(Struct, frozen=True):
    request: Any
    """The JSON value of the body."""
    asker: Asker


class Calls:
    """Takes plain requests, and answers each. It belongs to the event loop's thread.

    Args:
        make_reader: returns a reader for one connection.
        stop_s: requests that were taken have so many seconds when the server stops.
    """

    def __init__(
        self, dispatcher: Dispatcher, turns: Turns, make_reader: Callable[[], PostReader], stop_s: float
    ) -> None:
        self.make_reader = make_reader
        self._dispatcher = dispatcher
        self._turns = turns
        self._stop_s = stop_s
        self._responses = Responses()
        self._together: dict[str, list[_Call]] = {}
        """The calls of this turn that their method processes together, by its name."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def take(self, post: Post, asker: Asker) -> bool:
        """Take a request; return False if aiohttp is to refuse it."""
        if self._is_closed or (self._turns.is_crowded and not post.is_owner):
            return False
        caller = OWNER if post.is_owner else ANYBODY
        try:
            call = _Call(parse(post.body), asker)
        except RpcError as error:
            self._answer(asker, encode_error(error, None))
            return True
        method = self._dispatcher.find_grouping(call.request, caller)
        if method is None:
            self._start(self._process(call, caller))
            return True
        if not self._together:
            asyncio.get_running_loop().call_soon(self._begin)
        self._together.setdefault(method.name, []).append(call)
        return True

    async def close(self) -> None:
        """Take no more requests, and give those that were taken their time to be answered."""
        self._is_closed = True
        self._begin()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._stop_s)
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        """Begin what is processed together, once all calls of the turn are here."""
        together, self._together = self._together, {}
        for calls in together.values():
            for at in range(0, len(calls), MAX_BATCH):
                self._start(self._process_group(calls[at : at + MAX_BATCH]))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, call: _Call, caller: Caller) -> None:
        with _ending([call.asker]):
            self._answer(call.asker, await self._dispatcher.process_parsed(call.request, caller))

    async def _process_group(self, calls: Sequence[_Call]) -> None:
        waiting = {place: call.asker for place, call in enumerate(calls)}

        def give(place: int, answer: bytes | None) -> None:
            self._answer(waiting.pop(place), answer)

        with _ending(waiting.values()):
            await self._dispatcher.process_group([call.request for call in calls], OWNER, give)

    def _answer(self, asker: Asker, answer: bytes | None) -> None:
        asker.answer(self._responses.encode(answer))


@contextmanager
def _ending(waiting: Collection[Asker]) -> Iterator[None]:
    """Disconnect those who still wait if an unexpected error ends the block."""
    try:
        yield
    except Exception as error:
        # This is the boundary: the error is logged, and callers are told no details of it.
        log.error("calls failed", exc_info=error)
        for asker in tuple(waiting):
            asker.abort()
