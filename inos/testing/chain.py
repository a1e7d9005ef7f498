"""A chain in this process, in a thread of its own, for tests that are not asynchronous, and for those that are."""

import asyncio
import logging
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import structlog
from msgspec import Struct

from inos.client.client import Client
from inos.core.node_core import NodeCore
from inos.genesis import Network
from inos.genesis.loading import derive_devnet, load_network
from inos.node.node import Node, open_node
from inos.node.settings import load_settings
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import Nano, TimeMs, TxId
from inos.testing.clock import MovableClock
from inos.testing.mint import Mint, Worker
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, derive_key

T = TypeVar("T")

PHRASE: Final = "test test test test test test test test test test test junk"
"""Everybody knows it. Accounts 0, 1, ... of it are the test chain's, as other chains' tools have theirs."""
DEFAULT_FUNDS: Final = Nano(10_000 * 10**9)
WORKER_INDEX: Final = 1_000_000
MINER_INDEX: Final = 1_000_001
EASY_TARGET: Final = "0f" + "ff" * 31
CHALLENGE_WINDOW: Final = 4
"""Blocks; short, so that optimistic jobs are paid soon."""
START_S: Final = 30.0
CALL_S: Final = 120.0


class TestChainError(InosError):
    """The test chain was used where it does not run, or asked for what it does not have."""

    __test__ = False


class Account(Struct, frozen=True):
    """A funded account."""

    address: str
    key: Key

    @property
    def secret(self) -> bytes:
        """32 bytes."""
        return self.key.secret


class Snapshot(Struct, frozen=True):
    """Where the chain stood."""

    blocks: int
    ahead_ms: int
    pool: tuple[Transaction, ...]


class TestChain:
    """See the package. A context manager; everything is gone when it is left.

    Args:
        accounts: how many are funded at genesis, with `funds` nano each.
        instant: a block at once for each transaction that comes; without it only `mine` makes blocks.
        works: paid jobs are done by a worker of the chain's own as soon as they are on chain.
        folder: where the node keeps its data; a temporary one without.
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
        """For `--network`."""
        self.data_dir = self._folder / "node"
        """For `--data-dir`: the node's folder, with its token."""
        self._write_genesis(params or {})
        self.network: Network = load_network(str(self.genesis_file))
        self.accounts: Sequence[Account] = tuple(self._make_account(key) for key in self._keys)
        self.worker = self._make_account(self._worker_key)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._node: Node | None = None
        self._mint: Mint | None = None
        self._worker: Worker | None = None
        self._stack: AsyncExitStack | None = None
        self._snapshots: list[Snapshot] = []
        self._rpc_port = 0

    def __enter__(self) -> "TestChain":
        if not structlog.is_configured():
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run_thread, args=(started,), name="inos-test-chain")
        self._thread.start()
        try:
            started.result(START_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the node and remove what it wrote, unless the folder was given."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(CALL_S)
        self._loop = self._thread = None
        if self._temporary is not None:
            self._temporary.cleanup()

    # What a test asks and does

    @property
    def url(self) -> str:
        """The node's JSON-RPC; the same after `revert`."""
        return self._get_node().rpc.url

    @property
    def height(self) -> int:
        return int(self._get_node().core.ledger.tip.header.height)

    @property
    def now_ms(self) -> TimeMs:
        """The chain's clock, ms since 1970 UTC."""
        return self._clock.now_ms()

    def client(self, account: Account | None = None) -> Client:
        """An asynchronous client with the account's key: `async with chain.client(alice) as client`."""
        return Client(self.url, wallet=None if account is None else account.key, token=self._read_token())

    def call(self, method: str, **params: Any) -> Any:
        """One JSON-RPC call, waited for; its result as JSON has it.

        Raises:
            RemoteError: the node refused.
        """

        async def ask() -> Any:
            async with self.client() as client:
                return await client.call(method, params)

        return self._run(ask())

    def send(self, sender: Account, to: Account | str, credits: str | Decimal | float) -> str:
        """A transfer; its id. It is on chain when this returns, where blocks are instant."""
        address = to if isinstance(to, str) else to.address

        async def pay() -> str:
            async with self.client(sender) as client:
                return await client.transfer(address, credits)

        return self._run(pay())

    def get_balance(self, account: Account | str) -> int:
        """Nano."""
        address = account if isinstance(account, str) else account.address
        return int(self.call("state_getAccount", address=address)["balance"])

    def mine(self, blocks: int = 1, *, seconds_apart: float | None = None) -> int:
        """Make blocks of what waits; the height they lead to. The clock goes a spacing on with each of them."""
        return self._run(self._get_mint().mine(blocks, seconds_apart))

    def advance(self, seconds: float) -> TimeMs:
        """Move the chain's clock forward; the next block has the new time. The time there is now."""
        if seconds < 0:
            raise TestChainError("back-in-time", "a chain's time only goes forward", hint="use snapshot and revert")
        self._clock.advance(round(seconds * 1000))
        return self._clock.now_ms()

    def do_jobs(self) -> list[str]:
        """Have the open jobs done by the chain's worker, and mine until they are paid; their ids."""
        return [id.hex() for id in self._run(self._get_worker().do_jobs())]

    def snapshot(self) -> int:
        """Remember the chain, its pool and its clock; a number for `revert`."""

        async def take() -> int:
            node, mint = self._get_node(), self._get_mint()
            async with mint.turn:
                waiting = (node.core.mempool.get(id) for id in node.core.mempool.list_ids())
                pool = tuple(tx for tx in waiting if tx is not None)
                self._snapshots.append(Snapshot(len(mint.blocks), self._clock.ahead_ms, pool))
            return len(self._snapshots) - 1

        return self._run(take())

    def revert(self, snapshot: int) -> None:
        """Back to where the chain stood; snapshots taken later are gone. Matrices stay.

        Raises:
            TestChainError: "unknown-snapshot".
        """
        if not 0 <= snapshot < len(self._snapshots):
            raise TestChainError("unknown-snapshot", f"there is no snapshot {snapshot}")
        kept = self._snapshots[snapshot]
        del self._snapshots[snapshot + 1 :]
        self._run(self._reopen(kept))

    # The thread of the chain

    def _run_thread(self, started: "Future[None]") -> None:
        try:
            asyncio.run(self._live(started))
        finally:
            if not started.done():
                started.set_exception(
                    TestChainError("not-started", "the test chain did not start; its thread said why")
                )

    async def _live(self, started: "Future[None]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._open()
        except InosError as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stop.wait()
        if self._stack is not None:
            await self._stack.aclose()

    async def _open(self) -> None:
        flags = {
            "network": str(self.genesis_file),
            "data_dir": self.data_dir,
            "rpc_host": "127.0.0.1",
            "rpc_port": self._rpc_port,
            "p2p_host": "127.0.0.1",
            "p2p_port": 0,
            "discovery": False,
            "peers": (),
            "seeds": (),
        }
        stack = AsyncExitStack()
        self._node = await stack.enter_async_context(open_node(load_settings(flags), self._clock))
        self._rpc_port = self._node.rpc.port
        self._mint = Mint(self._node.core, self._clock, derive_key(PHRASE, index=MINER_INDEX))
        self._attend(self._node.core)
        self._stack = stack

    def _attend(self, core: NodeCore) -> None:
        """From now on a transaction is on chain, and a paid job done, before whoever sent it has the answer."""
        take, turn = core.transactions.add, asyncio.Lock()
        worker = Worker(core, self._get_mint(), self._worker_key, take)

        async def take_and_mine(tx: Transaction) -> TxId:
            id = await take(tx)
            async with turn:
                if self.instant:
                    await self._get_mint().mine(1)
                if self.instant and self.works:
                    await worker.do_jobs()
            return id

        core.transactions.add = take_and_mine  # type: ignore[method-assign]  # what the RPC calls, this node's alone
        self._worker = worker

    async def _reopen(self, kept: Snapshot) -> None:
        blocks = self._get_mint().blocks[: kept.blocks]
        if self._stack is not None:
            await self._stack.aclose()
        data = self.data_dir
        await asyncio.to_thread(shutil.rmtree, data / "ledger")
        (data / "pool").unlink(missing_ok=True)
        await self._open()
        node, mint = self._get_node(), self._get_mint()
        self._clock.set_ahead(max(kept.ahead_ms, self._clock.ahead_ms))  # blocks of the past must not be ahead of it
        core = node.core
        await core.blocks.add_checked([await core.verifier.check(*made) for made in blocks])
        mint.blocks += blocks
        self._clock.set_ahead(kept.ahead_ms)
        await core.transactions.restore(kept.pool)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise TestChainError("not-running", "the test chain does not run", hint="use it in a with statement")
        if threading.current_thread() is self._thread:
            work.close()
            raise TestChainError("wrong-thread", "the chain's own thread cannot wait for itself")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def _get_node(self) -> Node:
        if self._node is None:
            raise TestChainError("not-running", "the test chain does not run", hint="use it in a with statement")
        return self._node

    def _get_mint(self) -> Mint:
        if self._mint is None:
            raise TestChainError("not-running", "the test chain does not run", hint="use it in a with statement")
        return self._mint

    def _get_worker(self) -> Worker:
        if self._worker is None:
            raise TestChainError("not-running", "the test chain does not run", hint="use it in a with statement")
        return self._worker

    def _make_account(self, key: Key) -> Account:
        return Account(encode_address(self.network.hrp, key.address), key)

    def _read_token(self) -> str:
        return (self.data_dir / "rpc.token").read_text().strip()

    def _write_genesis(self, params: dict[str, Any]) -> None:
        funds = {key.address: self.funds for key in (*self._keys, self._worker_key)}
        easy = {"genesis_target": EASY_TARGET, "max_target": EASY_TARGET, "challenge_window": CHALLENGE_WINDOW}
        self.genesis_file.write_text(derive_devnet("devnet", self._clock.now_ms(), funds, params=easy | params))
