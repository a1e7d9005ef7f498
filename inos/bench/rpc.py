"""`inos bench rpc`: how fast a node answers while it mines or syncs, and how many transfers a second it takes.

The node is a process of its own; this process sends bodies that were encoded before, so that little of the measured
time is the sender's. The peer is aiohttp itself, which answers an empty call in a third process.
"""

import asyncio
import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from inos.bench.chains import make_chain
from inos.bench.errors import BenchError
from inos.bench.machine import read_cpu_s
from inos.consensus.costs import TRANSFER_US
from inos.genesis.loading import derive_devnet, load_network
from inos.node.process import NodeSpec, make_child_environment, run_nodes, start_node, stop_process
from inos.primitives.clock import SystemClock
from inos.primitives.codec import encode
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Transfer, sign_transaction
from inos.primitives.units import Address, Nano
from inos.wallet.keys import Key, make_key

SENDERS: Final = 64
FUNDS: Final = Nano(10**12)
FEE: Final = Nano(1000)
AMOUNT: Final = Nano(10**7)
"""More than what the first payment to a new account burns."""
BATCH: Final = 100
"""Transfers in one HTTP request, the most that a node takes."""
BATCHES_AT_ONCE: Final = 4
CONNECTIONS: Final = 32
"""Connections that each send one transfer at a time."""
CALLS: Final = 2000
"""Timed calls of chain_head, one after another."""
SYNCED_TRANSFERS: Final = 20
PAUSE_S: Final = 0.002
"""The pause between two calls while a node syncs: callers without the token have 1,000 calls a second."""
MINED_S: Final = 240.0
START_S: Final = 60.0
COMMON: Final = ("--p2p-port", "0", "--rpc-port", "0", "--no-discovery")
HEAD: Final = b'{"jsonrpc":"2.0","id":1,"method":"chain_head"}'
PEER: Final = """
import sys
from aiohttp import web

async def answer(request):
    await request.read()
    return web.Response(body=b'{"jsonrpc":"2.0","id":1,"result":null}', content_type="application/json")

app = web.Application()
app.router.add_post("/", answer)
web.run_app(app, host="127.0.0.1", port=0, print=lambda text: print(text, flush=True))
"""


class RpcStats(Struct, frozen=True):
    """One run; latencies in ms, rates per second."""

    head_p50_ms: float
    """chain_head while the node mines on all threads."""
    head_p99_ms: float
    empty_p50_ms: float
    """The peer's empty call, while the same node mines."""
    empty_p99_ms: float
    syncing_p50_ms: float
    """chain_head of a node that does not mine while it syncs full blocks from another one."""
    syncing_p99_ms: float
    synced_blocks: int
    mining_taken_per_s: float
    """Transfers taken in batches by a node that mines."""
    mining_included_per_s: float
    """The same until all are in blocks that are written."""
    block_bound_per_s: float
    """The most transfers a second that the network's bound on a block's cost lets in, at its spacing."""
    idle_taken_per_s: float
    """Transfers taken in batches by a node that does not mine."""
    idle_cpu_us: float
    """The processor time of all its threads for each of them, which depends little on the load."""
    single_per_s: float
    """Transfers taken one call each, over several connections, by a node that does not mine."""
    single_cpu_us: float
    """The processor time of the node for each of them."""
    empty_per_s: float
    """Empty calls that the peer answers over as many connections."""


def measure_rpc(transfers: int, synced: int, announce: Callable[[str], None]) -> RpcStats:
    """Measure everything with so many transfers for each rate; it takes about two minutes.

    Args:
        synced: the blocks that a node syncs while it is called.

    Raises:
        NodeError: a node did not start. BenchError: a transfer was refused, or no block took it.
    """
    with tempfile.TemporaryDirectory(prefix="inos-bench-rpc-") as folder:
        return asyncio.run(_measure(Path(folder), transfers, synced, announce))


async def _measure(folder: Path, transfers: int, synced: int, announce: Callable[[str], None]) -> RpcStats:
    keys = [make_key(secrets.token_bytes(32)) for _ in range(SENDERS)]
    genesis = folder / "devnet.json"
    genesis.write_text(derive_devnet("devnet", SystemClock().now_ms(), {key.address: FUNDS for key in keys}))
    params = load_network(str(genesis)).params
    announce(f"signing {3 * transfers:,} transfers")
    mined, taken, single = (_make_calls(keys, params.chain_id, transfers) for _ in range(3))
    flags = ("--network", str(genesis), *COMMON)
    async with _open_peer() as peer:
        async with _running(folder / "mining", (*flags, "--mine", "auto")) as (url, session, _):
            announce("timing calls while the node mines")
            head = await _time_calls(session, url)
            empty = await _time_calls(session, peer)
            announce("sending transfers in batches to the node that mines")
            began = time.monotonic()
            await _send_batches(session, url, mined)
            mining_s = time.monotonic() - began
            while await _count_waiting(session, url):
                if time.monotonic() - began > MINED_S:
                    text = f"blocks did not take {transfers} transfers in {MINED_S:g} s"
                    raise BenchError("not-included", text, hint="try fewer: --transfers 640")
                await asyncio.sleep(0.05)
            included_s = time.monotonic() - began
        async with _running(folder / "batches", flags) as (url, session, pid):
            announce("sending transfers in batches to a node that does not mine")
            began, used = time.monotonic(), read_cpu_s(pid)
            await _send_batches(session, url, taken)
            idle_s, idle_cpu_s = time.monotonic() - began, read_cpu_s(pid) - used
        async with _running(folder / "single", flags) as (url, session, pid):
            announce(f"sending one transfer a call over {CONNECTIONS} connections")
            used = read_cpu_s(pid)
            single_s = await _send_single(session, url, single)
            single_cpu_s = read_cpu_s(pid) - used
            empty_s = await _send_single(session, peer, single)
    announce(f"making {synced} blocks of {SYNCED_TRANSFERS} transfers, and timing calls while a node syncs them")
    syncing = await _time_while_syncing(folder / "sync", synced)
    return RpcStats(
        head_p50_ms=_quantile(head, 50),
        head_p99_ms=_quantile(head, 99),
        empty_p50_ms=_quantile(empty, 50),
        empty_p99_ms=_quantile(empty, 99),
        syncing_p50_ms=_quantile(syncing, 50),
        syncing_p99_ms=_quantile(syncing, 99),
        synced_blocks=synced,
        mining_taken_per_s=transfers / mining_s,
        mining_included_per_s=transfers / included_s,
        block_bound_per_s=params.max_block_cost_us / TRANSFER_US / params.spacing_ms * 1000,
        idle_taken_per_s=transfers / idle_s,
        idle_cpu_us=idle_cpu_s / transfers * 1e6,
        single_per_s=transfers / single_s,
        single_cpu_us=single_cpu_s / transfers * 1e6,
        empty_per_s=transfers / empty_s,
    )


def _make_calls(keys: Sequence[Key], chain_id: int, transfers: int) -> list[list[dict[str, Any]]]:
    """Return calls for each sender, in the order of their nonces."""
    to = compute_address(compute_public_key(secrets.token_bytes(32)))
    return [[_make_call(key, chain_id, nonce, to) for nonce in range(transfers // SENDERS)] for key in keys]


def _make_call(key: Key, chain_id: int, nonce: int, to: Address) -> dict[str, Any]:
    tx = sign_transaction(key.secret, chain_id, nonce, FEE, Transfer(to, AMOUNT))
    return {"jsonrpc": "2.0", "id": nonce, "method": "tx_send", "params": {"hex": encode(tx).hex()}}


@contextlib.asynccontextmanager
async def _running(folder: Path, flags: tuple[str, ...]) -> AsyncIterator[tuple[str, aiohttp.ClientSession, int]]:
    """Yield the RPC address of a new node, a session that carries its token, and the node's process id."""
    node = await start_node(NodeSpec(folder.name, folder, flags))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {node.read_token()}"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    try:
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            yield node.rpc_url, session, node.process.pid
    finally:
        await stop_process(node.process)


@contextlib.asynccontextmanager
async def _open_peer() -> AsyncIterator[str]:
    """Yield the address of aiohttp in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", PEER), stdout=asyncio.subprocess.PIPE, env=make_child_environment()
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            line = (await process.stdout.readline()).decode()
        yield next(word for word in line.split() if word.startswith("http:"))
    finally:
        await stop_process(process)


async def _time_calls(session: aiohttp.ClientSession, url: str) -> list[float]:
    """Return the seconds of each of many calls, one after another."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await _post(session, url, HEAD)
        taken.append(time.perf_counter() - began)
    return taken


async def _time_while_syncing(folder: Path, blocks: int) -> list[float]:
    """Return the seconds of each call to a new node until it has a chain of full blocks from another node."""
    chain = make_chain(folder / "chain", blocks, SYNCED_TRANSFERS)
    flags = ("--network", str(chain.network), *COMMON)
    taken = []
    async with run_nodes([NodeSpec("source", chain.folder, flags)]) as sources:
        node = await start_node(NodeSpec("new", folder / "new", flags), [sources[0].p2p_address])
        try:
            async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
                height, moved = 0, time.monotonic()
                while height < chain.blocks:
                    began = time.perf_counter()
                    found = (await _post(session, node.rpc_url, HEAD))["result"]["height"]
                    taken.append(time.perf_counter() - began)
                    if found > height:
                        height, moved = found, time.monotonic()
                    elif time.monotonic() - moved > START_S:
                        raise BenchError("sync-stuck", f"no block came after {height} for {START_S:g} s")
                    await asyncio.sleep(PAUSE_S)
        finally:
            await stop_process(node.process)
    return taken


async def _send_batches(session: aiohttp.ClientSession, url: str, calls: list[list[dict[str, Any]]]) -> None:
    """Send each sender's calls in batches, several senders at once, in the order of their nonces."""
    turns = asyncio.Semaphore(BATCHES_AT_ONCE)
    bodies = [[_encode(own[at : at + BATCH]) for at in range(0, len(own), BATCH)] for own in calls]

    async def send(own: list[bytes]) -> None:
        async with turns:
            for body in own:
                _check(await _post(session, url, body))

    async with asyncio.TaskGroup() as group:
        for own in bodies:
            group.create_task(send(own))


async def _send_single(session: aiohttp.ClientSession, url: str, calls: list[list[dict[str, Any]]]) -> float:
    """Send one call a request over all connections; return the seconds it took."""
    bodies = [[_encode(call) for call in own] for own in calls]
    waiting = iter(bodies)

    async def send() -> None:
        for own in waiting:
            for body in own:
                _check([await _post(session, url, body)])

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(send())
    return time.monotonic() - began


async def _count_waiting(session: aiohttp.ClientSession, url: str) -> int:
    body = _encode({"jsonrpc": "2.0", "id": 1, "method": "tx_pool", "params": {"limit": 0}})
    count: int = (await _post(session, url, body))["result"]["count"]
    return count


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> Any:
    async with session.post(url, data=body) as answer:
        return msgspec.json.decode(await answer.read())


def _check(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        if "error" in answer:
            text = f"a transfer was refused: {answer['error']}"
            raise BenchError("call-refused", text, hint="the node's error above says why")


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _quantile(seconds: Sequence[float], percent: int) -> float:
    return sorted(seconds)[len(seconds) * percent // 100] * 1000


def describe_rpc(found: RpcStats) -> list[str]:
    """Return the figures as a table, each with its goal and what bounds it or its peer."""
    empty = f"aiohttp's empty call: {found.empty_p50_ms:.2f} / {found.empty_p99_ms:.2f} ms"
    rows = [
        ("figure", "measured", "goal", "beside it"),
        ("chain_head while mining, p50 / p99", _pair(found.head_p50_ms, found.head_p99_ms), "2 / 10 ms", empty),
        (
            "chain_head while syncing, p50 / p99",
            _pair(found.syncing_p50_ms, found.syncing_p99_ms),
            "2 / 20 ms",
            f"{found.synced_blocks:,} blocks of {SYNCED_TRANSFERS} transfers",
        ),
        ("taken in batches, mining", _rate(found.mining_taken_per_s), "5,000 /s", ""),
        (
            "  and in written blocks",
            _rate(found.mining_included_per_s),
            "5,000 /s",
            f"{_rate(found.block_bound_per_s)} by the bound on a block's cost at its spacing",
        ),
        (
            "taken in batches, not mining",
            _rate(found.idle_taken_per_s),
            "8,000 /s",
            f"{found.idle_cpu_us:.0f} us of the node for each",
        ),
        (
            f"taken one a call, {CONNECTIONS} connections",
            _rate(found.single_per_s),
            "2,500 /s",
            f"{found.single_cpu_us:.0f} us of the node for each; aiohttp's empty call: {_rate(found.empty_per_s)}",
        ),
    ]
    return [f"{figure:36}{measured:>18}{goal:>12}   {beside}".rstrip() for figure, measured, goal, beside in rows]


def _pair(p50_ms: float, p99_ms: float) -> str:
    return f"{p50_ms:.2f} / {p99_ms:.2f} ms"


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f} /s"
