"""Tests compact blocks: made, assembled, pushed, requested, relayed before the state is known, and damaged."""

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from inos.network.errors import Misbehaviour
from inos.network.service import NetworkService
from inos.network.sync.relay.compact import (
    ShortIdTable,
    begin_partial_block,
    compute_short_id,
    compute_short_key,
    list_short_ids,
    make_compact,
)
from inos.network.wire.compact import CompactBlock, CompactBody, Prefilled
from inos.network.wire.limits import get_limit
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.transactions import Transaction, compute_tx_id
from support.network_fakes import (
    BAD_WITNESS,
    GENESIS,
    WITNESS,
    FakeNode,
    get_address,
    make_chain,
    make_header,
    make_service,
    make_tx,
    running,
    until,
)

TXS = tuple(make_tx(n) for n in range(12))


def make_block(*transactions: Transaction, nonce: int = 0) -> Block:
    return Block(make_header(GENESIS, transactions, nonce), transactions)


def solve(body: CompactBody, pool: tuple[Transaction, ...]) -> tuple[tuple[int, ...], Block | None]:
    partial, table = begin_partial_block(body), ShortIdTable(compute_short_key(body.header, body.nonce))
    by_id = {compute_tx_id(tx): tx for tx in pool}
    table.add(by_id)
    for place, short in list_short_ids(body):
        found = table.find(short)
        partial.transactions[place] = None if found is None else by_id[found]
    missing = partial.missing
    return missing, partial.make_block()


@given(
    chosen=st.sets(st.integers(0, 11), max_size=12),
    prefill=st.sets(st.integers(0, 11), max_size=12),
    known=st.sets(st.integers(0, 11)),
    nonce=st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_what_the_pool_has_is_put_in_its_place(
    chosen: set[int], prefill: set[int], known: set[int], nonce: int
) -> None:
    block = make_block(*(TXS[i] for i in sorted(chosen)))
    whole = {i for i in prefill if i < len(block.transactions)}
    body = make_compact(block, WITNESS, nonce, whole)
    missing, found = solve(body, tuple(TXS[i] for i in sorted(known)))
    places = [i for i, n in enumerate(sorted(chosen)) if n not in known and i not in whole]
    assert missing == tuple(places)
    assert found == (None if places else block)


def test_a_short_id_is_what_the_page_says() -> None:
    """The test writes it out again: BLAKE3 keyed with H("compact block", header and nonce), first 6 bytes."""
    from blake3 import blake3

    from inos.primitives.codec import encode

    header = make_header(GENESIS)
    key = blake3(encode(header) + (7).to_bytes(8, "little"), derive_key_context="inos v1 compact block").digest()
    assert compute_short_key(header, 7) == key
    id = compute_tx_id(TXS[0])
    assert compute_short_id(key, id) == blake3(id, key=key).digest()[:6]


def test_two_transactions_with_one_short_id_are_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.network.sync.relay.compact.compute_short_id", lambda key, id: b"same!!")
    missing, found = solve(make_compact(make_block(TXS[0]), WITNESS, 1), TXS[:2])
    assert (missing, found) == ((0,), None)


def test_places_that_cannot_be_are_refused() -> None:
    body = make_compact(make_block(*TXS[:3]), WITNESS, 1, {1})
    for wrong in (
        replace(body, short_ids=body.short_ids[:-1]),
        replace(body, prefilled=(Prefilled(3, TXS[1]),)),
        replace(body, prefilled=(Prefilled(1, TXS[1]), Prefilled(1, TXS[1]))),
    ):
        with pytest.raises(Misbehaviour):
            begin_partial_block(wrong)
    with pytest.raises(Misbehaviour):
        begin_partial_block(body).fill((0, 2), TXS[:1])


class Pair:
    """Two nodes that know each other; the second one dials."""

    def __init__(self) -> None:
        self.nodes = FakeNode(), FakeNode()
        self.services: list[NetworkService] = []

    async def start(self) -> None:
        first = make_service(self.nodes[0], 1)
        await first.start()
        self.services = [first, make_service(self.nodes[1], 2, get_address(first))]

    def height(self, n: int) -> int:
        return int(self.nodes[n].ledger.tip.header.height)


async def test_blocks_come_compact_then_are_pushed_and_nothing_comes_twice() -> None:
    pair = Pair()
    await pair.start()
    async with running(*pair.services):
        await until(lambda: all(s.peers() for s in pair.services))
        header = GENESIS
        for height in range(1, 6):
            txs = (make_tx(100 + height), make_tx(200 + height))
            await pair.nodes[0].add_transaction(txs[0])
            await until(lambda tx=txs[0]: pair.nodes[1].mempool.has(compute_tx_id(tx)))  # type: ignore[misc]
            block = Block(make_header(header, txs), txs)
            header = block.header
            await pair.nodes[0].add(block, WITNESS)
            await until(lambda h=height: pair.height(1) == h)  # type: ignore[misc]
            assert pair.nodes[1].ledger.get_block(compute_block_id(header)) == block
        stats = pair.services[1].sync.block_relay.stats
        assert (stats.blocks, stats.duplicates, stats.fallbacks) == (5, 0, 0)
        assert stats.requested == 5  # in each block one transaction was in no pool
        assert pair.services[0].sync.block_relay.stats.duplicates == 0
        assert pair.nodes[1].seen.count(compute_block_id(header)) == 1


async def test_colliding_short_ids_cost_one_whole_block_and_nobody_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of the pool takes the place of all in the block; the wrong body is nobody's fault."""
    monkeypatch.setattr("inos.network.sync.relay.compact.compute_short_id", lambda key, id: b"same!!")
    pair = Pair()
    await pair.start()
    async with running(*pair.services):
        await until(lambda: all(s.peers() for s in pair.services))
        await pair.nodes[1].add_transaction(make_tx(1))
        header = GENESIS
        for height in range(1, 4):
            txs = (make_tx(100 + height), make_tx(200 + height))
            block = Block(make_header(header, txs), txs)
            header = block.header
            await pair.nodes[0].add(block, WITNESS)
            await until(lambda h=height: pair.height(1) == h)  # type: ignore[misc]
            assert pair.nodes[1].ledger.get_block(compute_block_id(header)) == block
        assert pair.services[1].sync.block_relay.stats.fallbacks == 3
        assert all(service.peers() and not service.list_bans() for service in pair.services)


async def test_a_long_branch_connected_at_once_is_not_pushed_block_by_block() -> None:
    """This happens after a partition: a node that leaves its branch connects hundreds of blocks within a moment."""
    pair = Pair()
    await pair.start()
    async with running(*pair.services):
        await until(lambda: all(s.peers() for s in pair.services))
        first, *rest = make_chain(120)
        await pair.nodes[0].add(first, WITNESS)
        await until(lambda: pair.height(1) == 1)  # and wants the next ones pushed
        for block in rest:
            await pair.nodes[0].add(block, WITNESS)
        await until(lambda: pair.height(1) == 120)
        stats = pair.services[1].sync.block_relay.stats
        assert stats.blocks + stats.duplicates <= get_limit(CompactBlock).burst
        assert [peer.score for service in pair.services for peer in service.peers()] == [0, 0]


async def test_a_block_is_passed_on_before_its_state_is_known() -> None:
    """The middle node's own check of the state does not end, yet the third node has the block; nobody is banned
    for it.
    """
    nodes = FakeNode(), FakeNode(), FakeNode()
    first = make_service(nodes[0], 1)
    await first.start()
    middle = make_service(nodes[1], 2, get_address(first))
    await middle.start()
    last = make_service(nodes[2], 3, get_address(middle))
    async with running(first, middle, last):
        await until(lambda: len(middle.peers()) == 2)
        one = Block(make_header(GENESIS), ())
        await nodes[0].add(one, WITNESS)
        await until(lambda: nodes[2].ledger.tip.header.height == 1)
        two = Block(make_header(one.header), ())
        stuck, original = asyncio.Event(), nodes[1].add_checked

        async def hang(blocks: object) -> object:
            await stuck.wait()
            return await original(blocks)  # type: ignore[arg-type]

        nodes[1].add_checked = hang  # type: ignore[method-assign,assignment]
        await nodes[0].add(two, WITNESS)
        await until(lambda: nodes[2].ledger.tip.header.height == 2)
        assert nodes[1].ledger.tip.header.height == 1
        stuck.set()
        await until(lambda: nodes[1].ledger.tip.header.height == 2)
        assert len(middle.peers()) == 2


async def test_a_block_whose_state_is_wrong_is_nobody_s_fault_but_its_own() -> None:
    pair = Pair()
    await pair.start()
    async with running(*pair.services):
        await until(lambda: all(s.peers() for s in pair.services))
        good = Block(make_header(GENESIS), ())
        await pair.nodes[0].add(good, WITNESS)
        await until(lambda: pair.height(1) == 1)
        bad = Block(make_header(good.header), ())
        pair.nodes[1].refuse_blocks.add(compute_block_id(bad.header))
        await pair.nodes[0].add(bad, WITNESS)
        await until(lambda: compute_block_id(bad.header) in pair.nodes[1].ledger.invalid)
        assert pair.services[1].peers()
        assert pair.height(1) == 1


async def test_a_pushed_block_with_a_wrong_seal_costs_the_sender_its_place() -> None:
    pair = Pair()
    await pair.start()
    async with running(*pair.services):
        await until(lambda: all(s.peers() for s in pair.services))
        await pair.nodes[0].add(Block(make_header(GENESIS), ()), BAD_WITNESS)
        await until(lambda: not pair.services[1].peers())
        assert pair.height(1) == 0
        assert compute_block_id(pair.nodes[0].ledger.tip.header) not in pair.nodes[1].ledger.invalid
