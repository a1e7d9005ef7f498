"""A miner's connection to its node: templates in, wins out, on a thread of its own."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import Any, Final

from msgspec import Struct

from inos.client.blocking import LoopThread
from inos.client.errors import ClientError
from inos.client.transport import Transport
from inos.primitives.blocks import MAX_HEADER_BYTES, Header
from inos.primitives.codec import decode, encode
from inos.primitives.errors import InosError
from inos.work import Win

FIRST_S: Final = 15.0
"""Longest wait for the first template."""
POLL_S: Final = 10.0
"""A template is renewed this often if the tip does not move, for the transactions that came meanwhile."""
ANSWER_S: Final = 30.0
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
MAX_WINS: Final = 64
"""Wins that wait to be submitted; older ones are dropped if there are more."""
MAX_ANSWER_BYTES: Final = 1 << 20


class Work(Struct, frozen=True):
    """A template as the node gave it."""

    id: str
    parent: str
    header: Header
    target: int


class MinerLink:
    """Keeps the newest template of a node, and submits wins in the background.

    Its methods are called from the miner's thread; `start` must be called first.
    """

    def __init__(self, url: str, beneficiary: str | None, token: str | None) -> None:
        self._url = url
        self._transport = Transport(url, token, ANSWER_S, retry_pauses_s=(), max_answer_bytes=MAX_ANSWER_BYTES)
        self._params = {"beneficiary": beneficiary} if beneficiary else {}
        self._thread: LoopThread | None = None
        self._running: Future[None] | None = None
        self._wins: asyncio.Queue[tuple[Work, int, Win] | None] = asyncio.Queue(MAX_WINS)
        self._is_ready = threading.Event()
        self._failed: InosError | None = None
        self._work: Work | None = None
        self._submitted = ""
        """Id of the last template that a win was submitted for."""
        self.blocks: list[str] = []
        self.submitted = 0
        self.stale = 0
        self.last_error = ""

    def start(self) -> None:
        """Connect and wait for the first template.

        Raises:
            ClientError: "timeout", or why no template came. RemoteError: the node refused.
        """
        self._thread = LoopThread("inos miner link")
        self._running = self._thread.spawn(self._run())
        if not self._is_ready.wait(FIRST_S):
            self.stop()
            raise ClientError("timeout", f"{self._url} gave no work within {FIRST_S:g} s")
        if self._failed is not None:
            self.stop()
            raise self._failed

    def stop(self) -> None:
        """Submit the wins that wait, then end the thread."""
        if self._thread is None or self._running is None:
            return
        self._thread.spawn(self._offer(None))
        with contextlib.suppress(TimeoutError):
            self._running.result(ANSWER_S)
        self._thread.close()

    def get_work(self) -> Work:
        """Return the newest template."""
        assert self._work is not None  # start waited for it
        return self._work

    def submit(self, work: Work, nonce: int, win: Win) -> None:
        """Submit a win in the background; only the first of a template, since one win makes the block."""
        if work.id == self._submitted or self._thread is None:
            return
        self._submitted = work.id
        self._thread.spawn(self._offer((work, nonce, win)))

    async def _offer(self, item: tuple[Work, int, Win] | None) -> None:
        if self._wins.full():
            self.last_error = "a win was dropped, because the node takes them too slowly"
            self._wins.get_nowait()
        self._wins.put_nowait(item)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow())
            await self._submit_wins()
            following.cancel()
        await self._transport.close()

    async def _follow(self) -> None:
        """Keep the template at the tip; after an error ask again, later each time."""
        tries = 0
        while True:
            known = {} if self._work is None else {"known_tip": self._work.parent, "wait_s": POLL_S}
            try:
                answer = await self._transport.call("miner_template", self._params | known, timeout_s=POLL_S + ANSWER_S)
                self._work, tries = _read_work(answer), 0
                self._is_ready.set()
            except InosError as error:
                self._note(error)
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    def _note(self, error: InosError) -> None:
        self.last_error = f"[{error.code}] {error.message}"
        if self._work is None:
            self._failed = error
            self._is_ready.set()

    async def _submit_wins(self) -> None:
        while (item := await self._wins.get()) is not None:
            work, nonce, win = item
            params = {
                "template": work.id,
                "nonce": nonce,
                "seal": encode(win.seal).hex(),
                "witness": encode(win.witness).hex(),
            }
            try:
                answer = await self._transport.call("miner_submit", params)
            except InosError as error:
                self.last_error = f"a win was not taken: {error}"
                self._submitted = ""
                continue
            self.submitted += 1
            if answer["is_connected"]:
                self.blocks.append(answer["block"])
            else:
                self.stale += 1


def _read_work(answer: Any) -> Work:
    try:
        header = decode(Header, bytes.fromhex(answer["header"]), limit=MAX_HEADER_BYTES)
        return Work(answer["id"], answer["parent"], header, int(answer["allowed_target"], 16))
    except (KeyError, TypeError, ValueError, InosError) as error:
        raise ClientError("bad-response", f"the node's template cannot be read: {error}") from error
