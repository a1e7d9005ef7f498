"""The reading methods of `inos.Client`: plain calls, and a typed method for everything a node tells about the chain."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from inos.client import models
from inos.client.answers import convert
from inos.client.network_info import NetworkInfo, read_params
from inos.client.subscription import Subscription, Topic
from inos.client.tip import Tip, TipFollower
from inos.client.transport import Transport

T = TypeVar("T")


class Reader:
    """One node's RPC with typed results; it holds no key.

    Args:
        url: the node's RPC address.
        token: the node's bearer token; only protected methods need it.
        timeout_s: longest time one call may take.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        self._transport = Transport(url, token, timeout_s)
        self._network: NetworkInfo | None = None
        self._tip = TipFollower(lambda: self.subscribe("heads"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._transport.close()

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        timeout_s: float | None = None,
        **named: Any,
    ) -> Any:
        """Call any method and return its result as plain JSON: `call("chain_getBlock", block=1)`.

        Raises:
            RemoteError: the node refused; `code` says why.
            ClientError: "node-unreachable", "timeout", "bad-response", "bad-url".
        """
        return await self._transport.call(method, params if params is not None else named, timeout_s=timeout_s)

    async def get_network(self) -> NetworkInfo:
        """Return the network's parameters, address prefix and genesis; the node is asked once."""
        if self._network is None:
            version = await self.version()
            params = read_params(await self.call("chain_getParams"))
            self._network = NetworkInfo(params=params, hrp=version.hrp, genesis=version.genesis)
        return self._network

    async def version(self) -> models.NodeVersion:
        """Return the node's software, network and id."""
        return await self._ask(models.NodeVersion, "node_version")

    async def head(self) -> models.Head:
        """Return the tip of the best chain."""
        return await self._ask(models.Head, "chain_head")

    async def block(self, block: int | str = "latest") -> models.Block:
        """Return a block by height, id, or "latest"."""
        return await self._ask(models.Block, "chain_getBlock", block=block)

    async def header(self, block: int | str = "latest") -> models.Header:
        """Return a block's header by height, id, or "latest"."""
        return await self._ask(models.Header, "chain_getHeader", block=block)

    async def blocks(self, first: int | None = None, limit: int = 20) -> models.BlockPage:
        """Return blocks without their transactions, newest first, from height `first` (by default the tip) down."""
        return await self._ask(models.BlockPage, "chain_listBlocks", first=first, limit=limit)

    async def certificate(self, block: int | str = "latest") -> models.Certificate:
        """Return what proves a block's work: its header and witness as bytes in hex."""
        return await self._ask(models.Certificate, "chain_getCertificate", block=block)

    async def transaction(self, tx: str) -> models.FoundTransaction:
        """Return a transaction on the chain or in the pool, by its id in hex."""
        return await self._ask(models.FoundTransaction, "chain_getTransaction", id=tx)

    async def supply(self) -> models.Supply:
        """Return how many nano were minted and burned, and are escrowed."""
        return await self._ask(models.Supply, "state_supply")

    async def useful_work(self, window: int = 100) -> models.UsefulWork:
        """Return the tickets mined, posted and settled over the last `window` blocks."""
        return await self._ask(models.UsefulWork, "chain_usefulWork", window=window)

    async def stats(self, first: int = 1, last: int | None = None, points: int = 100) -> models.Stats:
        """Return what the blocks of a range did, in at most `points` parts; any range costs the node the same."""
        return await self._ask(models.Stats, "chain_getStats", first=first, last=last, points=points)

    async def epochs(self, last: int | None = None, limit: int = 20) -> models.EpochPage:
        """Return epochs that have ended, newest first, with the votes that justified their checkpoints."""
        return await self._ask(models.EpochPage, "finality_listEpochs", last=last, limit=limit)

    async def accounts(
        self, by: Literal["holdings", "mined", "settled"] = "holdings", *, limit: int = 50, after: str | None = None
    ) -> models.AccountPage:
        """Return accounts by what they have, by blocks mined or by tickets of jobs settled, the largest first."""
        return await self._ask(models.AccountPage, "state_listAccounts", by=by, limit=limit, after=after)

    async def history(self, address: str, limit: int = 50, before: str | None = None) -> models.HistoryPage:
        """Return an account's history, newest first."""
        return await self._ask(models.HistoryPage, "state_getHistory", address=address, limit=limit, before=before)

    async def reputation_history(self, address: str) -> models.ReputationHistory:
        """Return an account's reputation after each block that changed it."""
        return await self._ask(models.ReputationHistory, "state_getReputationHistory", address=address)

    async def pool(self, limit: int = 100) -> models.Pool:
        """Return the transactions that wait to be mined."""
        return await self._ask(models.Pool, "tx_pool", limit=limit)

    async def estimate_fee(
        self, *, payments: int = 0, size: int | None = None, signatures: int = 1
    ) -> models.FeeEstimate:
        """Return the fee the node advises for a transaction.

        Args:
            payments: those of a `TransferMany`.
            size: bytes without the payments; by default those of a typical transaction of one key.
            signatures: how many it needs.
        """
        given = {"payments": payments, "size": size, "signatures": signatures}
        usual = {"payments": 0, "size": None, "signatures": 1}
        asked = {name: value for name, value in given.items() if value != usual[name]}
        return await self._ask(models.FeeEstimate, "tx_estimateFee", **asked)

    async def find(self, prefix: str) -> models.FoundIds:
        """Return the blocks, transactions, jobs and stored matrices whose ids begin with 4 to 64 hex digits."""
        return await self._ask(models.FoundIds, "chain_find", prefix=prefix)

    async def quote(
        self,
        m: int,
        n: int,
        k: int,
        *,
        reward_nano: int | None = None,
        poster: str | None = None,
        mode: models.JobMode | None = None,
    ) -> models.Quote:
        """Return what the product of X (m x k) and W (n x k) transposed would cost now, in the cheaper mode.

        Args:
            reward_nano: the reward, if it is not the suggested one. poster: the address that would post it.
            mode: the mode, if it is not to be the cheaper one.
        """
        reward = None if reward_nano is None else str(reward_nano)
        return await self._ask(models.Quote, "job_quote", m=m, n=n, k=k, reward=reward, poster=poster, mode=mode)

    async def job(self, job: str) -> models.Job:
        """Return a job by its id in hex.

        Raises:
            RemoteError: "job-unknown", also until the posting transaction is mined.
        """
        return await self._ask(models.Job, "job_get", id=job)

    async def jobs(self, **filters: Any) -> models.JobPage:
        """Return a page of jobs; the filters are those of job_list: state, poster, worker, after, order, limit."""
        return await self._ask(models.JobPage, "job_list", **filters)

    async def job_history(self, job: str) -> models.JobHistory:
        """Return what happened to a job, oldest first."""
        return await self._ask(models.JobHistory, "job_history", id=job)

    async def market(self, sample: int = 100) -> models.Market:
        """Return what is offered now, and what was paid lately and how long it took, for each kind of job."""
        return await self._ask(models.Market, "job_market", sample=sample)

    async def track_record(self, address: str) -> models.TrackRecord:
        """Return how an address has done as a worker and as a poster of jobs."""
        return await self._ask(models.TrackRecord, "job_trackRecord", address=address)

    def subscribe(
        self,
        topic: Topic,
        *,
        from_height: int | None = None,
        after: str | None = None,
        address: str | None = None,
        job: str | None = None,
    ) -> Subscription:
        """Return an iterator over notifications: `async for notification in client.subscribe("heads"): ...`

        It reconnects after a break and then yields what happened meanwhile.

        Args:
            topic: heads, finality, transactions (needs `address`), jobs, or miner (needs the token).
            from_height, after: start at this height, or after this block, instead of at the tip.
            job: for the topic jobs, the only job to report.

        Raises (by the first step of the iteration):
            RemoteError: the node refuses. ClientError: "node-unreachable" if it was never reached.
        """
        given = {"from_height": from_height, "after": after, "address": address, "job": job}
        params = {name: value for name, value in given.items() if value is not None}
        return Subscription(self._transport, topic, params)

    def follow_tip(self) -> AbstractAsyncContextManager[Tip]:
        """Return a context manager that gives a `Tip`, whose `wait` returns when a block came."""
        return self._tip.follow()

    async def _ask(self, kind: type[T], method: str, **params: Any) -> T:
        return convert(kind, await self.call(method, params), method)
