"""An event loop on a thread, for programs that wait for answers instead of running an event loop of their own."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from inos.client.errors import ClientError
from inos.client.transport import Params, Transport

T = TypeVar("T")
STOP_S: Final = 30.0
"""Longest wait for the thread to end."""


class LoopThread:
    """Runs coroutines on an event loop in a thread of its own. A context manager; the thread starts at once.

    Args:
        name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for its result.

        Raises:
            ClientError: "wrong-thread" on the loop's own thread, which cannot wait for itself.
            TimeoutError: it takes longer than `timeout_s`; it is cancelled then.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise ClientError("wrong-thread", "the thread of an event loop cannot wait for that loop")
        future = self.spawn(work)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    def spawn(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the loop without waiting for it.

        Raises:
            ClientError: "closed", after `close`.
        """
        if self._loop.is_closed():
            work.close()
            raise ClientError("closed", "the connection was closed before", hint="open it again, or close it later")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what still runs, and end the thread; do nothing a second time."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def call_node(url: str, method: str, params: Params = (), *, token: str | None = None, timeout_s: float = 30.0) -> Any:
    """Make one JSON-RPC call, once, and wait for its result.

    Raises:
        RemoteError: the node refused the call.
        ClientError: "node-unreachable", "timeout", "bad-response" or "bad-url".
    """

    async def ask() -> Any:
        transport = Transport(url, token, timeout_s, retry_pauses_s=())
        try:
            return await transport.call(method, params)
        finally:
            await transport.close()

    with LoopThread("inos call") as loop:
        return loop.run(ask())
