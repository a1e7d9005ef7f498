"""Takes transactions for nodes of tests."""

from collections.abc import Awaitable, Callable, Sequence

from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import TxId


class Sending:
    """Takes transactions one after another.

    Args:
        send: takes one; it raises what refuses it.
    """

    def __init__(self, send: Callable[[Transaction], Awaitable[TxId]]) -> None:
        self.send = send

    async def send_many(self, transactions: Sequence[Transaction]) -> list[TxId | InosError | None]:
        """Take several; return the id of each, or what refused it."""
        return [await self._try_to_send(tx) for tx in transactions]

    async def _try_to_send(self, tx: Transaction) -> TxId | InosError:
        try:
            return await self.send(tx)
        except InosError as error:
            return error
