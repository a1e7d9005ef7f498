"""`inos.BlockingClient`: `inos.Client` for programs without asyncio.

with inos.BlockingClient("http://127.0.0.1:8645") as client:
    print(client.head().height)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from inos.client.blocking import LoopThread
from inos.client.blocking_methods import BlockingMethods
from inos.client.client import DEFAULT_TIMEOUT_S, DEFAULT_URL, Client
from inos.client.subscription import Notification, Topic
from inos.wallet.keys import Key
from inos.wallet.signers import Signer


def connect(
    url: str = DEFAULT_URL,
    wallet: Key | Signer | str | Path | None = None,
    password: str | None = None,
    *,
    token: str | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> "BlockingClient":
    """Return a client of a node that pays with a wallet of this machine: `inos.connect(url, wallet="default")`.

    In asyncio code use `inos.Client` with the same arguments.
    """
    return BlockingClient(url, wallet=wallet, password=password, token=token, timeout_s=timeout_s)


class BlockingClient(BlockingMethods):
    """The methods of `inos.Client`, each of which waits for its result.

    The asynchronous client behind it, `async_client`, runs on a thread of its own. Leave the `with` block, or call
    `close`, to end the thread. Arguments are those of `inos.Client`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        wallet: Key | Signer | str | Path | None = None,
        password: str | None = None,
        secret: bytes | None = None,
        token: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self.async_client = Client(
            url, wallet=wallet, password=password, secret=secret, token=token, timeout_s=timeout_s
        )
        self._thread = LoopThread("inos client")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread; the client cannot be used afterwards."""
        if not self._thread.is_closed:
            self._thread.run(self.async_client.close())
            self._thread.close()

    def subscribe(
        self,
        topic: Topic,
        *,
        from_height: int | None = None,
        after: str | None = None,
        address: str | None = None,
        job: str | None = None,
    ) -> Iterator[Notification]:
        """Yield what happens from now on, or from a block on; see `Client.subscribe`."""
        notification = self.async_client.subscribe(
            topic, from_height=from_height, after=after, address=address, job=job
        )
        try:
            while True:
                yield self._thread.run(notification.__anext__())
        finally:
            if not self._thread.is_closed:
                self._thread.run(notification.aclose())

    @contextmanager
    def follow_tip(self) -> Iterator[Callable[[float], None]]:
        """Yield a function that returns when a block came since its last call, after so many seconds at the latest."""
        manager = self.async_client.follow_tip()
        tip = self._thread.run(manager.__aenter__())
        try:
            yield lambda limit_s: self._thread.run(tip.wait(limit_s))
        finally:
            if not self._thread.is_closed:
                self._thread.run(manager.__aexit__(None, None, None))
