"""Tests what the pool reads of a real ledger."""

from pathlib import Path

from inos.chain.reading import ChainReader
from inos.chain.schema import HistoryRecord, history_key
from inos.consensus.movements import PLACE_START, Movement, Reason
from inos.primitives.codec import encode
from inos.primitives.units import Height, JobId
from inos.workers.pool.node import CoreChain
from support.chain_maker import ALICE, MINER, Branch, feed

JOB = JobId(b"\x33" * 32)
DUST = 3000


def test_many_small_transfers_in_a_block_do_not_hide_what_it_pays(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    for _ in range(3):
        branch.grow()
    feed(ledger, branch.blocks)
    alone = CoreChain(ledger.view).read_received(MINER.address, 2)
    paid = HistoryRecord(None, (Movement(Reason.JOB_PAID, 7, ALICE.address, JOB),))
    dust = HistoryRecord(bytes(32), (Movement(Reason.RECEIVED, 1, ALICE.address),))
    places = {place: dust for place in range(1, DUST + 1)} | {PLACE_START: paid}
    ledger._db.write({history_key(MINER.address, Height(2), place): encode(record) for place, record in places.items()})
    ledger.view.show(ChainReader(ledger._db, ledger.view.tip))
    received = CoreChain(ledger.view).read_received(MINER.address, 2)
    assert received.lottery == alone.lottery > 0
    assert received.jobs == {JOB: 7}
    assert received.movements == alone.movements + DUST + 1
    assert CoreChain(ledger.view).read_received(MINER.address, 3).movements == alone.movements
    ledger.close()
