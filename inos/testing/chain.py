"""`TestChain` is a chain in this process, on a thread of its own, for tests with and without asyncio."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import structlog
from msgspec import Struct

from inos.client.blocking import LoopThread
from inos.client.client import Client
from inos.genesis import Network
from inos.genesis.loading import derive_devnet, load_network
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import Nano, TimeMs
from inos.testing.clock import MovableClock
from inos.testing.instant_node import InstantNode, Keys, Place, open_instant_node
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, derive_key

T = TypeVar("T")

PHRASE: Final = "test test test test test test test test test test test junk"
"""A well-known phrase. The test chain's accounts are its accounts 0, 1, ..., as in other chains' tools."""
DEFAULT_FUNDS: Final = Nano(10_000 * 10**9)
WORKER_INDEX: Final = 1_000_000
MINER_INDEX: Final = 1_000_001
EASY_TARGET: Final = "0f" + "ff" * 31
CHALLENGE_WINDOW: Final = 4
"""Blocks until an optimistic job is paid; they are few, so that tests need not make many."""
START_S: Final = 30.0
CALL_S: Final = 120.0


class TestChainError(InosError):
    """The test chain is used while it does not run, or asked for what it cannot do."""

    __test__ = False


class Account(Struct, frozen=True):
    """A funded account."""

    address: str
    key: Key

    @property
    def secret(self) -> bytes:
        """The account's secret, 32 bytes."""
        return self.key.secret


class Snapshot(Struct, frozen=True):
    """The state to return to: the number of blocks, the clock, and the pool."""

    blocks: int
    ahead_ms: int
    pool: tuple[Transaction, ...]


class TestChain:
    """A chain with the real rules, instant blocks, and funded accounts: see the package. It is a context manager.

    Everything that it wrote is removed at the end, unless `folder` is given.

    Args:
        accounts: how many accounts are funded at genesis, with `funds` nano each.
        instant: make a block at once for each transaction; otherwise only `mine` makes blocks.
        works: let a worker of the chain's own do paid jobs as soon as they are on chain.
        folder: where the node keeps its data; a temporary directory by default.
        params: consensus parameters to replace, spelled as in a genesis file.
    """

    __test__ = False

    def __init__(
        self,
        *,
        accounts: int = 10,
        funds: int = DEFAULT_FUNDS,
        instant: bool = True,
        works: bool = True,
        folder: Path | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        self.funds = Nano(funds)
        self.instant = instant
        self.works = works
        self._keys = [derive_key(PHRASE, index=index) for index in range(accounts)]
        self._worker_key = derive_key(PHRASE, index=WORKER_INDEX)
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory(prefix="inos-test-chain-")
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._clock = MovableClock()
        self.genesis_file = self._folder / "genesis.json"
        """The genesis file, for the option --network."""
        self.data_dir = self._folder / "node"
        """The node's data directory, for the option --data-dir."""
        self._write_genesis(params or {})
        self.network: Network = load_network(str(self.genesis_file))
        self.accounts: Sequence[Account] = tuple(self._make_account(key) for key in self._keys)
        self.worker = self._make_account(self._worker_key)
        self._thread: LoopThread | None = None
        self._stack = AsyncExitStack()
        self._running: InstantNode | None = None
        self._snapshots: list[Snapshot] = []
        self._rpc_port = 0

    def __enter__(self) -> "TestChain":
        if not structlog.is_configured():
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self._thread = LoopThread("inos-test-chain")
        try:
            self._thread.run(self._open(), START_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the node, and remove what it wrote unless the folder was given."""
        if self._thread is not None and not self._thread.is_closed:
            try:
                self._thread.run(self._stack.aclose(), CALL_S)
            finally:
                self._thread.close()
        self._running = None
        if self._temporary is not None:
            self._temporary.cleanup()

    # The interface for tests

    @property
    def url(self) -> str:
        """The address of the node's JSON-RPC; it stays the same after `revert`."""
        return self._get_running().node.rpc.url

    @property
    def height(self) -> int:
        """The height of the tip."""
        return int(self._get_running().core.ledger.tip.header.height)

    @property
    def now_ms(self) -> TimeMs:
        """The time of the chain's clock, ms since 1970 UTC."""
        return self._clock.now_ms()

    def client(self, account: Account | None = None) -> Client:
        """Return an asynchronous client with the account's key: `async with chain.client(alice) as client`."""
        token = (self.data_dir / "rpc.token").read_text().strip()
        return Client(self.url, wallet=None if account is None else account.key, token=token)

    def call(self, method: str, **params: Any) -> Any:
        """Make one JSON-RPC call and return its result as JSON has it.

        Raises:
            RemoteError: the node refused.
        """

        async def ask() -> Any:
            async with self.client() as client:
                return await client.call(method, params)

        return self._run(ask())

    def send(self, sender: Account, to: Account | str, credits: str | Decimal | float) -> str:
        """Send credits and return the transaction's id; if blocks are instant, it is on the chain then."""
        address = to if isinstance(to, str) else to.address

        async def pay() -> str:
            async with self.client(sender) as client:
                return await client.transfer(address, credits)

        return self._run(pay())

    def get_balance(self, account: Account | str) -> int:
        """Return an account's balance in nano."""
        address = account if isinstance(account, str) else account.address
        return int(self.call("state_getAccount", address=address)["balance"])

    def mine(self, blocks: int = 1, *, seconds_apart: float | None = None) -> int:
        """Make blocks of the transactions that wait, and return the new height.

        Args:
            seconds_apart: how far the clock moves before each block; by default the network's block spacing.
        """
        return self._run(self._get_running().mint.mine(blocks, seconds_apart))

    def advance(self, seconds: float) -> TimeMs:
        """Move the chain's clock forward and return the new time, which the next block has."""
        if seconds < 0:
            raise TestChainError("back-in-time", "a chain's time only moves forward", hint="use snapshot and revert")
        self._clock.advance(round(seconds * 1000))
        return self._clock.now_ms()

    def do_jobs(self) -> list[str]:
        """Let the chain's worker do the open jobs, mine until they are paid, and return their ids."""
        return [id.hex() for id in self._run(self._get_running().worker.do_jobs())]

    def snapshot(self) -> int:
        """Remember the chain, its pool and its clock; return a number for `revert`."""
        running = self._get_running()

        async def take() -> int:
            async with running.mint.turn:
                pool = running.core.mempool
                waiting = (pool.get(id) for id in pool.list_ids())
                transactions = tuple(tx for tx in waiting if tx is not None)
                self._snapshots.append(Snapshot(len(running.mint.blocks), self._clock.ahead_ms, transactions))
            return len(self._snapshots) - 1

        return self._run(take())

    def revert(self, snapshot: int) -> None:
        """Return to a snapshot, and forget those taken after it. Matrices stay.

        Raises:
            TestChainError: "unknown-snapshot".
        """
        if not 0 <= snapshot < len(self._snapshots):
            raise TestChainError("unknown-snapshot", f"there is no snapshot {snapshot}")
        kept = self._snapshots[snapshot]
        del self._snapshots[snapshot + 1 :]
        self._run(self._reopen(kept))

    # The node, on the chain's thread

    async def _open(self) -> None:
        place = Place(self.genesis_file, self.data_dir, self._rpc_port)
        keys = Keys(derive_key(PHRASE, index=MINER_INDEX), self._worker_key)
        opening = open_instant_node(place, self._clock, keys, self)
        self._running = await self._stack.enter_async_context(opening)
        self._rpc_port = self._running.node.rpc.port

    async def _reopen(self, kept: Snapshot) -> None:
        """Start the node again without its chain, and give it the blocks and the pool of a snapshot."""
        blocks = self._get_running().mint.blocks[: kept.blocks]
        await self._stack.aclose()
        await asyncio.to_thread(shutil.rmtree, self.data_dir / "ledger")
        (self.data_dir / "pool").unlink(missing_ok=True)
        await self._open()
        running = self._get_running()
        core = running.core
        self._clock.set_ahead(max(kept.ahead_ms, self._clock.ahead_ms))  # the blocks must not be ahead of the clock
        await core.blocks.add_checked([await core.verifier.check(*made) for made in blocks])
        running.mint.blocks += blocks
        self._clock.set_ahead(kept.ahead_ms)
        await core.transactions.restore(kept.pool)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._thread is None or self._thread.is_closed:
            work.close()
            raise _make_not_running()
        return self._thread.run(work, CALL_S)

    def _get_running(self) -> InstantNode:
        if self._running is None:
            raise _make_not_running()
        return self._running

    def _make_account(self, key: Key) -> Account:
        return Account(encode_address(self.network.hrp, key.address), key)

    def _write_genesis(self, params: dict[str, Any]) -> None:
        funds = {key.address: self.funds for key in (*self._keys, self._worker_key)}
        easy = {"genesis_target": EASY_TARGET, "max_target": EASY_TARGET, "challenge_window": CHALLENGE_WINDOW}
        self.genesis_file.write_text(derive_devnet("devnet", self._clock.now_ms(), funds, params=easy | params))


def _make_not_running() -> TestChainError:
    return TestChainError("not-running", "the test chain does not run", hint="use it in a with statement")
