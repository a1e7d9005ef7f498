"""What keeps a board up to date: subscriptions, which resume after a break, and calls for what has no topic."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from inos.client.client import Client
from inos.client.errors import RemoteError
from inos.client.subscription import Subscription
from inos.primitives.errors import InosError
from inos.top.board import WINDOW_BLOCKS, Board

POLL_S: Final = 2.0
"""Peers and the pool are asked for this often, because no topic reports them."""
FIRST_POLL_S: Final = 0.1
"""They are asked for this often until the board is whole."""


class Feed:
    """Keeps a board up to date.

    Args:
        token: the node's; without it the miner is not shown.
        on_change: called after every change of the board.
    """

    def __init__(self, board: Board, token: str | None, on_change: Callable[[], None]) -> None:
        self._board = board
        self._token = token
        self._on_change = on_change
        self._is_miner_known = token is None

    async def run(self) -> None:
        """Follow the node until cancelled; while it cannot be reached, the board's `problem` says so.

        Raises:
            InosError: the node was never reached, or refuses something.
        """
        async with Client(self._board.url, token=self._token) as client:
            self._board.network = (await client.version()).network
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_heads(client))
                group.create_task(self._follow(client.subscribe("finality"), self._take_final))
                group.create_task(self._follow(client.subscribe("jobs"), self._board.take_job))
                if self._token is not None:
                    group.create_task(self._follow_miner(client, group))
                group.create_task(self._poll(client))

    async def _follow(self, subscription: Subscription, take: Callable[[dict[str, Any]], None]) -> None:
        try:
            async for notification in subscription:
                take(notification.data)
                self._on_change()
        finally:
            await subscription.aclose()

    async def _follow_heads(self, client: Client) -> None:
        """Take the last blocks and then every new one; begin again if the node cannot resume."""
        while True:
            height = (await client.head()).height
            subscription = client.subscribe("heads", from_height=max(1, height - WINDOW_BLOCKS + 1))
            try:
                await self._follow(subscription, self._board.take_head)
            except RemoteError as error:
                if error.code != "too-far-back":
                    raise
                self._board.blocks.clear()

    async def _follow_miner(self, client: Client, group: asyncio.TaskGroup) -> None:
        board = self._board
        try:
            board.miner = await client.call("miner_status")
        except RemoteError as error:
            if error.code != "no-miner":
                raise
        self._is_miner_known = True
        if board.miner is not None:
            account = board.miner["beneficiary"]
            group.create_task(self._follow(client.subscribe("miner"), self._take_miner))
            group.create_task(self._follow(client.subscribe("transactions", address=account), board.take_transaction))

    async def _poll(self, client: Client) -> None:
        """Ask again and again for what no topic reports."""
        board = self._board
        while True:
            try:
                head = await client.head()
                board.peers, board.pool, board.final_height = head.peers, head.pool, head.final_height
                if board.miner is not None:
                    account = await client.account(board.miner["beneficiary"])
                    board.earnings.balance = account.balance
                    board.earnings.reputation = account.reputation
                    board.workers = await client.call("miner_workers")
                board.is_whole = self._is_miner_known and board.height is not None and board.height >= head.height
                board.problem = ""
            except InosError as error:
                board.problem = error.message
            self._on_change()
            await asyncio.sleep(POLL_S if board.is_whole or board.problem else FIRST_POLL_S)

    def _take_final(self, notification: dict[str, Any]) -> None:
        self._board.final_height = notification["height"]

    def _take_miner(self, notification: dict[str, Any]) -> None:
        self._board.miner = notification
