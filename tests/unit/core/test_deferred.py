"""Tests queues of deferred input: they are ordered and bounded, and return each item once."""

import structlog.testing
from msgspec.structs import replace

from inos.core.deferred import DeferredResults, EarlyBlocks, WantedMatrices, retry_deferred
from inos.genesis import load_network
from inos.primitives.blocks import Block
from inos.primitives.errors import InosError, MatrixMissing, RuleViolation
from inos.primitives.matrices import STRIP_BYTES, MatrixRef, Witness
from inos.primitives.transactions import SubmitResult, Transaction, sign_transaction
from inos.primitives.units import MatrixId, TimeMs, TxId

WITNESS = Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ())


def make_block(nonce: int) -> Block:
    return Block(replace(load_network("devnet").state.header, nonce=nonce), ())


def make_tx(nonce: int) -> Transaction:
    y = MatrixRef(bytes(32), 16, 16, bytes(32))
    return sign_transaction(bytes([1]) * 32, 1, nonce, 1, SubmitResult(bytes(32), y))


def test_early_blocks_come_back_when_due_earliest_first() -> None:
    early = EarlyBlocks()
    for nonce, until in ((1, 30), (2, 10), (3, 20)):
        early.add(TimeMs(until), make_block(nonce), WITNESS)
    early.add(TimeMs(99), make_block(2), WITNESS)
    assert len(early) == 3
    assert early.take_due(TimeMs(9)) == []
    assert [held.block.header.nonce for held in early.take_due(TimeMs(20))] == [2, 3]
    assert [held.block.header.nonce for held in early.take_due(TimeMs(1000))] == [1]
    assert len(early) == 0


def test_early_blocks_are_bounded_and_the_latest_gives_way() -> None:
    early = EarlyBlocks(limit=2)
    for nonce, until in ((1, 30), (2, 50), (3, 40)):
        early.add(TimeMs(until), make_block(nonce), WITNESS)
    assert [held.block.header.nonce for held in early.take_due(TimeMs(1000))] == [1, 3]


def test_held_results_come_back_for_the_matrix_they_wait_for() -> None:
    held = DeferredResults(limit=2)
    a, b = MatrixId(b"a" * 32), MatrixId(b"b" * 32)
    held.add(TxId(b"1" * 32), make_tx(1), (a,))
    held.add(TxId(b"2" * 32), make_tx(2), (a, b))
    assert [tx.nonce for tx in held.take(b)] == [2]
    assert held.take(b) == []
    held.add(TxId(b"3" * 32), make_tx(3), (b,))
    held.add(TxId(b"4" * 32), make_tx(4), (b,))
    assert held.take(a) == []
    assert [tx.nonce for tx in held.take(b)] == [3, 4]


def test_wanted_matrices_are_bounded_and_the_oldest_gives_way() -> None:
    wanted = WantedMatrices(limit=2)
    ids = [MatrixId(bytes([i]) * 32) for i in range(3)]
    wanted.add((ids[0], ids[1]))
    wanted.add((ids[2],))
    assert wanted.list_ids() == (ids[1], ids[2])
    wanted.discard(ids[1])
    assert ids[1] not in wanted
    assert len(wanted) == 1


async def test_only_a_refusal_is_logged_when_deferred_input_is_tried_again() -> None:
    async def fail(error: InosError) -> None:
        raise error

    with structlog.testing.capture_logs() as logs:
        await retry_deferred("result", lambda: fail(MatrixMissing([MatrixId(bytes(32))])))
        await retry_deferred("result", lambda: fail(RuleViolation("wrong-result", "no product")))
    assert [(one["event"], one["code"]) for one in logs] == [("deferred input refused", "wrong-result")]
