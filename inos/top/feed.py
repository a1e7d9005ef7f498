"""Subscriptions and requests over one WebSocket to a node, which reconnects after a break."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec

from inos.client.errors import ClientError
from inos.client.transport import make_remote_error
from inos.primitives.errors import InosError
from inos.top.board import WINDOW_BLOCKS, Board

ANSWER_S: Final = 15.0
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0)
LOOK_S: Final = 2.0
"""Seconds between two requests for peers and pool, for which there are no notifications."""
MAX_MESSAGE_BYTES: Final = 4 << 20


class Feed:
    """Keeps a board up to date.

    Args:
        token: the node's; without it the miner is not shown.
        tell: called after every change.
    """

    def __init__(self, board: Board, token: str | None, tell: Callable[[], None]) -> None:
        self._board = board
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tell = tell
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._topics: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._is_known = False

    async def run(self) -> None:
        """Until cancelled. Raises the first error where the node was never reached."""
        tries = 0
        async with aiohttp.ClientSession(headers=self._headers) as session:
            while True:
                try:
                    await self._follow(session)
                except InosError as error:
                    problem = error
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    problem = ClientError(
                        "node-unreachable",
                        f"no node answers at {self._board.url}: {error or 'no answer'}",
                        hint="start one with: inos node --network devnet   (or give its address with --rpc URL)",
                    )
                if not self._is_known:
                    raise problem
                tries = 0 if not self._board.problem else tries + 1
                self._board.problem = problem.message
                self._tell()
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        url = self._board.url.rstrip("/") + "/ws"
        try:
            async with session.ws_connect(url, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=20.0) as ws:
                reader = asyncio.ensure_future(self._read(ws))
                worker = asyncio.ensure_future(self._work(ws))
                try:
                    done, _ = await asyncio.wait({reader, worker}, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                finally:
                    for task in (reader, worker):
                        task.cancel()
                    await asyncio.gather(reader, worker, return_exceptions=True)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ClientError("bad-url", f"{self._board.url!r} is not the address of a node") from error
        raise ClientError("node-unreachable", f"{self._board.url} closed the connection")

    async def _work(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Subscribe, then ask again and again for what is not told."""
        board = self._board
        self._topics.clear()
        board.network = (await self._ask(ws, "node_version"))["network"]
        await self._subscribe_heads(ws)
        await self._subscribe(ws, self._take_final, topic="finality", from_height=0)
        await self._subscribe(ws, board.take_job, topic="jobs")
        if self._headers:
            await self._subscribe_miner(ws)
        self._is_known, board.problem = True, ""
        while True:
            head = await self._ask(ws, "chain_head")
            board.peers, board.pool = head["peers"], head["pool"]
            if board.miner is not None:
                account = await self._ask(ws, "state_getAccount", address=board.miner["beneficiary"])
                for name in ("balance", "reputation"):
                    setattr(board.earnings, name, int(account[name]))
            board.is_whole = board.tip is not None and board.height >= head["height"]
            self._tell()
            await asyncio.sleep(LOOK_S if board.is_whole else 0.1)

    async def _subscribe_heads(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """The last blocks first; after a break from the last block seen, so that none is missed."""
        board = self._board
        if board.tip is None:
            await self._begin_window(ws)
            return
        try:
            await self._subscribe(ws, board.take_head, topic="heads", after=board.tip["id"])
        except InosError as error:
            if error.code not in ("too-far-back", "block-unknown"):
                raise
            board.blocks.clear()
            await self._begin_window(ws)

    async def _begin_window(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        height = (await self._ask(ws, "chain_head"))["height"]
        first = max(1, height - WINDOW_BLOCKS + 1)
        await self._subscribe(ws, self._board.take_head, topic="heads", from_height=first)

    async def _subscribe_miner(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        board = self._board
        try:
            board.miner = await self._ask(ws, "miner_status")
        except InosError as error:
            if error.code != "no-miner":
                raise
            return
        await self._subscribe(ws, self._take_miner, topic="miner")
        await self._subscribe(ws, board.take_transaction, topic="transactions", address=board.miner["beneficiary"])

    async def _subscribe(
        self, ws: aiohttp.ClientWebSocketResponse, take: Callable[[dict[str, Any]], None], **params: Any
    ) -> None:
        # A notification may directly follow the answer with its subscription's id, so it is recognised by its topic.
        self._topics[params["topic"]] = take
        await self._ask(ws, "subscribe", **params)

    def _take_final(self, notification: dict[str, Any]) -> None:
        self._board.final_height = notification["height"]

    def _take_miner(self, notification: dict[str, Any]) -> None:
        self._board.miner = notification

    async def _ask(self, ws: aiohttp.ClientWebSocketResponse, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            await ws.send_str(msgspec.json.encode(request).decode())
            async with asyncio.timeout(ANSWER_S):
                answer = await self._waiting[number]
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise make_remote_error(method, answer["error"])
        return answer["result"]

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for message in ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            said = msgspec.json.decode(message.data)
            if said.get("method") == "subscription":
                self._take(said["params"])
            elif (waiting := self._waiting.get(said.get("id"))) is not None and not waiting.done():
                waiting.set_result(said)

    def _take(self, params: dict[str, Any]) -> None:
        if params["error"] is not None:
            raise make_remote_error("subscribe", params["error"])
        take = self._topics.get(params["topic"])
        if take is not None:
            take(params["data"])
            self._tell()
