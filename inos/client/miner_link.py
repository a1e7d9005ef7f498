"""A miner's connection to its node: templates in, wins out, on a thread and an event loop of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from inos.client.errors import ClientError
from inos.client.transport import make_remote_error
from inos.primitives.blocks import MAX_HEADER_BYTES, Header
from inos.primitives.codec import decode, encode
from inos.primitives.errors import InosError
from inos.work import Win

FIRST_S: Final = 15.0
"""Longest wait for the first template."""
POLL_S: Final = 10.0
"""A template is renewed so often where the tip does not move, for the transactions that came meanwhile."""
ANSWER_S: Final = 30.0
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
MAX_WINS: Final = 64
"""Wins waiting to be handed in; more are dropped."""
MAX_MESSAGE_BYTES: Final = 1 << 20


class Work(Struct, frozen=True):
    """A template as the node gave it."""

    id: str
    parent: str
    header: Header
    target: int


class MinerLink:
    """See the module. Public methods are called from the miner's thread."""

    def __init__(self, url: str, beneficiary: str | None, allow_merit: bool, token: str | None) -> None:
        self._url = url.rstrip("/") + "/ws"
        self._params = {"allow_merit": allow_merit} | ({"beneficiary": beneficiary} if beneficiary else {})
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="inos miner link", daemon=True)
        self._wins: asyncio.Queue[tuple[Work, int, Win] | None] = asyncio.Queue(MAX_WINS)
        self._is_ready = threading.Event()
        self._failed: InosError | None = None
        self._main: asyncio.Task[None] | None = None
        self._work: Work | None = None
        self._handed = ""
        self._ids = count(1)
        self.blocks: list[str] = []
        self.submitted = 0
        self.stale = 0
        self.last_error = ""

    def start(self) -> None:
        """Connect and wait for the first template; raises what went wrong."""
        self._thread.start()
        if not self._is_ready.wait(FIRST_S):
            self.stop()
            raise ClientError("timeout", f"{self._url} gave no work within {FIRST_S:g} s")
        if self._failed is not None:
            self.stop()
            raise self._failed

    def stop(self) -> None:
        """Hand in what waits, then end the thread."""
        with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
            self._loop.call_soon_threadsafe(self._offer, None)
        self._thread.join(ANSWER_S)

    def get_work(self) -> Work:
        """The present template."""
        assert self._work is not None  # start waited for it
        return self._work

    def submit(self, work: Work, nonce: int, win: Win) -> None:
        """Hand in a win in the background; one of a template, since one makes the block."""
        if work.id == self._handed:
            return
        self._handed = work.id
        self._loop.call_soon_threadsafe(self._offer, (work, nonce, win))

    def _offer(self, item: tuple[Work, int, Win] | None) -> None:
        if self._wins.full():
            self.last_error = "a win was dropped: the node takes them too slowly"
            self._wins.get_nowait()
        self._wins.put_nowait(item)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work_on())
        finally:
            self._loop.close()

    async def _work_on(self) -> None:
        async with aiohttp.ClientSession(headers=self._headers) as session:
            follow = self._loop.create_task(self._follow(session))
            try:
                await self._hand_in(session)
            finally:
                follow.cancel()
                await asyncio.gather(follow, return_exceptions=True)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        """Keep the template at the tip, connecting again where the connection is lost."""
        tries = 0
        while True:
            try:
                async with self._connect(session) as ws:
                    while True:
                        known = {} if self._work is None else {"known_tip": self._work.parent, "wait_s": POLL_S}
                        answer = await self._call(ws, "miner_template", self._params | known, POLL_S + ANSWER_S)
                        self._work, tries = _read_work(answer), 0
                        self._is_ready.set()
            except InosError as error:
                self._note(error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._note(ClientError("node-unreachable", f"no node answers at {self._url}: {error or 'no answer'}"))
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    def _note(self, error: InosError) -> None:
        self.last_error = f"[{error.code}] {error.message}"
        if self._work is None:
            self._failed = error
            self._is_ready.set()

    async def _hand_in(self, session: aiohttp.ClientSession) -> None:
        while (item := await self._wins.get()) is not None:
            work, nonce, win = item
            params = {
                "template": work.id,
                "nonce": nonce,
                "seal": encode(win.seal).hex(),
                "witness": encode(win.witness).hex(),
            }
            try:
                async with self._connect(session) as ws:
                    answer = await self._call(ws, "miner_submit", params, ANSWER_S)
            except (InosError, aiohttp.ClientError, OSError, TimeoutError) as error:
                self.last_error = f"a win was not taken: {error}"
                self._handed = ""
                continue
            self.submitted += 1
            if answer["is_connected"]:
                self.blocks.append(answer["block"])
            else:
                self.stale += 1

    def _connect(self, session: aiohttp.ClientSession) -> Any:
        return session.ws_connect(self._url, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=20.0)

    async def _call(
        self, ws: aiohttp.ClientWebSocketResponse, method: str, params: Mapping[str, Any], limit_s: float
    ) -> Any:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        async with asyncio.timeout(limit_s):
            await ws.send_str(msgspec.json.encode(request).decode())
            message = await ws.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ClientError("node-unreachable", f"{self._url} closed the connection")
        try:
            answer = msgspec.json.decode(message.data)
        except msgspec.DecodeError as error:
            raise ClientError(
                "bad-response", f"{self._url} answered {method} with something that is no JSON"
            ) from error
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            raise make_remote_error(method, answer["error"])
        if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
            raise ClientError("bad-response", f"{self._url} answered {method} with no result")
        return answer["result"]


def _read_work(answer: Any) -> Work:
    try:
        header = decode(Header, bytes.fromhex(answer["header"]), limit=MAX_HEADER_BYTES)
        return Work(answer["id"], answer["parent"], header, int(answer["allowed_target"], 16))
    except (KeyError, TypeError, ValueError, InosError) as error:
        raise ClientError("bad-response", f"the node's template cannot be read: {error}") from error
