"""One kind after another: its chain is made, its block is sent to a mining node, and a node makes the block itself."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from inos.bench.blocks.kinds import Kind
from inos.bench.blocks.peer import open_peer
from inos.bench.blocks.probes import Lateness, open_probes
from inos.bench.blocks.workshop import DOUBLINGS, GENESIS_NAME, open_workshop
from inos.bench.errors import BenchError
from inos.bench.machine import raised_priority
from inos.bench.net.process import READY_S, Partner, read_line
from inos.client.transport import Transport
from inos.genesis import Network, load_network
from inos.node.process import make_child_environment, stop_process
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.codec import encode
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction, Transfer, get_sender
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

QUARTER: Final = 4
"""Connecting the worst block may take one part in so many of the block spacing."""
OUTSIDERS: Final = 200
"""Accounts whose transactions are sent meanwhile; the worst block has none of theirs."""
CALM_S: Final = 0.5
"""Before the block, so that the miner multiplies at full speed and the same calls are timed without the block."""
RIVAL_S: Final = 0.02
"""The other miner's block comes so long after the worst one."""
AFTER_S: Final = 0.25
TRIES: Final = 8
"""The node may find a block of its own before the worst one comes."""
POLL_S: Final = 0.03
MINER: Final = Address(bytes([77]) * 20)

Announce = Callable[[str], None]
"""Takes a line about what happens now."""


class BlockStats(Struct, frozen=True):
    """The worst block of one kind. Durations are in seconds."""

    kind: str
    transactions: int
    started: int
    """How many jobs, juries or voters the start of the block deals with, where it is about these."""
    bytes: int
    cost_us: int
    """By the table of `inos.consensus.costs`."""
    connect_s: float
    """From the moment a peer begins to send the block until it is the mining node's tip."""
    spacing_part: float
    """`connect_s` as a part of the network's block spacing; a quarter is the limit."""
    relay_s: float
    """From the same moment until the node relays the block."""
    make_s: float
    """Until a node with these transactions in its pool has made a template of them."""
    template_transactions: int
    """Transactions in that template; none where the work is done at the start of a block."""
    loop_lag_s: float
    """The longest delay of the event loop while the block was connected."""
    rival_s: float
    """Until the node relays a block of another branch that comes right after the worst one."""
    busy: Lateness
    """Calls while the block was connected."""
    making: Lateness
    """Calls while the template was made."""
    calm: Lateness
    """The same calls at the mining node before the block came."""
    load: float
    """The machine's load average before the block was sent."""


class Prepared(Struct, frozen=True):
    """A chain, and the blocks that come next."""

    folder: Path
    network: Network
    tip: Header
    worst: tuple[Block, Witness]
    started: int
    rival: tuple[Block, Witness]
    cost_us: int
    outside: Sequence[Transaction]
    filler_rate: float


def measure_blocks(
    network: str,
    kinds: Sequence[Kind],
    announce: Announce,
    *,
    params: Mapping[str, Any] | None = None,
    doublings: int = DOUBLINGS,
    filler_rate: float = 0.0,
) -> Iterator[BlockStats]:
    """Yield the figures of each kind.

    Args:
        network: a preset's name. params: parameters to replace, as in a genesis file.
        doublings: the worst blocks take about 2^doublings tickets.
        filler_rate: the node draws at most this many tickets a second; 0 is no limit.

    Raises:
        BenchError: "block-not-connected", "partner-died".
    """
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="inos-bench-blocks-") as temporary:
            announce(f"{kind.name}: making the chain ...")
            prepared = _prepare(kind, network, Path(temporary), params or {}, doublings, filler_rate)
            announce(f"{kind.name}: {len(prepared.worst[0].transactions)} transactions ...")
            with raised_priority():
                stats = asyncio.run(_measure(kind, prepared, Path(temporary), announce))
            yield stats


def _prepare(
    kind: Kind, network: str, folder: Path, params: Mapping[str, Any], doublings: int, filler_rate: float
) -> Prepared:
    preset = load_network(network).params
    most_voters = params.get("max_voters", preset.max_voters)
    people = kind.count_people(msgspec.structs.replace(preset, max_voters=most_voters))
    with open_workshop(folder / "chain", network, people + OUTSIDERS, params, doublings) as shop:
        outsiders = shop.people[-OUTSIDERS:]
        shop.people = shop.people[:-OUTSIDERS]
        found = kind.prepare(shop)
        filled = shop.fill(found.orders, aggregate=found.aggregate)
        if shop.rival is None:
            raise AssertionError(f"{kind.name} has not made its block hard to find")
        return Prepared(
            folder / "chain",
            load_network(str(folder / "chain" / GENESIS_NAME)),
            shop.ledger.view.tip.header,
            shop.seal(filled),
            found.started,
            shop.rival,
            filled.cost_us,
            [shop.sign(person, Transfer(MINER, 10**9)) for person in outsiders],
            filler_rate,
        )


async def _measure(kind: Kind, prepared: Prepared, folder: Path, announce: Announce) -> BlockStats:
    connected = await _connect_first(kind, prepared, folder, announce)
    made = await _make(prepared, folder / "maker")
    block, spacing_s = prepared.worst[0], prepared.network.params.spacing_ms / 1000
    return BlockStats(
        kind=kind.name,
        transactions=len(block.transactions),
        started=prepared.started,
        bytes=len(encode(block)),
        cost_us=prepared.cost_us,
        spacing_part=connected.connect_s / spacing_s,
        **{name: getattr(connected, name) for name in connected.__struct_fields__},
        **{name: getattr(made, name) for name in made.__struct_fields__},
    )


async def _connect_first(kind: Kind, prepared: Prepared, folder: Path, announce: Announce) -> "_Connected":
    for number in range(TRIES):
        connected = await _connect(prepared, folder / f"try{number}")
        if connected is not None:
            return connected
        announce(f"{kind.name}: the node found a block first; again ...")
    raise BenchError("block-not-connected", f"the node found a block before the one of {kind.name} {TRIES} times")


class _Connected(Struct, frozen=True):
    connect_s: float
    relay_s: float
    rival_s: float
    loop_lag_s: float
    busy: Lateness
    calm: Lateness
    load: float


class _Made(Struct, frozen=True):
    make_s: float
    template_transactions: int
    making: Lateness


async def _connect(prepared: Prepared, folder: Path) -> _Connected | None:
    """Send the block to a node that mines, and another miner's block right after it.

    Returns:
        None if the node found a block of its own first.
    """
    worst, rival = (compute_block_id(block.header).hex() for block, _ in (prepared.worst, prepared.rival))
    async with (
        _run_node(prepared, folder) as node,
        _dial(prepared, node) as miner,
        _dial(prepared, node) as other,
        _dial(prepared, node) as listener,
        open_probes(node.ready["rpc"], prepared.network.hrp, prepared.outside) as probes,
    ):
        calm_at = time.monotonic()
        await _tell(node, "mine")
        await asyncio.sleep(CALM_S)
        load = os.getloadavg()[0]
        if (await _tell(node, "look"))["tips"]:
            return None
        began = await miner.offer(*prepared.worst)
        await asyncio.sleep(RIVAL_S)
        rival_at = await other.offer(*prepared.rival)
        connected_at, lag_s = await _await_tip(node, worst)
        if connected_at is None:
            return None
        await asyncio.sleep(AFTER_S)
        lag_s = max(lag_s, (await _tell(node, "look"))["lag_s"])
        until = time.monotonic()
        await _await(lambda: {worst, rival} <= listener.relayed.keys())
        return _Connected(
            connect_s=connected_at - began,
            relay_s=listener.relayed[worst] - began,
            rival_s=listener.relayed[rival] - rival_at,
            loop_lag_s=lag_s,
            busy=probes.get_lateness(began, until),
            calm=probes.get_lateness(calm_at, began),
            load=load,
        )


async def _make(prepared: Prepared, folder: Path) -> _Made:
    """Let a node that has the block's transactions in its pool make a template."""
    async with _run_node(prepared, folder, pool=prepared.worst[0].transactions) as node:
        transport = Transport(node.ready["rpc"])
        beneficiary = encode_address(prepared.network.hrp, MINER)
        try:
            async with open_probes(node.ready["rpc"], prepared.network.hrp, prepared.outside) as probes:
                await _tell(node, "look")
                began = time.monotonic()
                template = await transport.call("miner_template", {"beneficiary": beneficiary})
                until = time.monotonic()
        finally:
            await transport.close()
    return _Made(until - began, template["transactions"], probes.get_lateness(began, until))


async def _await_tip(node: Partner, worst: str) -> tuple[float | None, float]:
    """Return when the block was connected (None if another one was), and the loop's longest delay until then."""
    lag_s, began = 0.0, time.monotonic()
    while time.monotonic() - began < READY_S:
        seen = await _tell(node, "look")
        lag_s = max(lag_s, seen["lag_s"])
        if worst in seen["tips"]:
            return seen["tips"][worst], lag_s
        if seen["tips"]:
            return None, lag_s
        await asyncio.sleep(POLL_S)
    raise BenchError("block-not-connected", f"the node did not connect the block within {READY_S:g} s")


async def _await(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_S):
        while not check():  # noqa: ASYNC110 -- the links' tasks fill in what is looked at
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def _run_node(prepared: Prepared, folder: Path, pool: Sequence[Transaction] = ()) -> AsyncIterator[Partner]:
    """Run a node on a copy of the chain."""
    shutil.copytree(prepared.folder, folder, ignore=shutil.ignore_patterns(GENESIS_NAME, "lock"))
    if pool:
        (folder / "pool").write_bytes(encode(sorted(pool, key=lambda tx: (get_sender(tx), tx.nonce))))
    genesis = prepared.folder / GENESIS_NAME
    miner = encode_address(prepared.network.hrp, MINER)
    with (folder / "node.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "inos.bench.blocks.process", str(genesis), str(folder), miner),
            str(prepared.filler_rate),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=make_child_environment(),
        )
    try:
        yield Partner(process, await read_line(process))
    finally:
        await stop_process(process)
        shutil.rmtree(folder, ignore_errors=True)


async def _tell(node: Partner, command: str) -> dict[str, Any]:
    """Send the node's process a command, and return its answer."""
    if node.process.stdin is None:
        raise BenchError("partner-died", "the measured node has no input")
    node.process.stdin.write(f"{command}\n".encode())
    return await read_line(node.process)


def _dial(prepared: Prepared, node: Partner) -> Any:
    return open_peer(prepared.network, node.ready["p2p"], prepared.tip, 1)
