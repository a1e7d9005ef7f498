"""Worst blocks of each kind under tiny limits: together they have every payload, and every kind of work at a start."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from inos.bench.blocks.kinds import KINDS, Kind
from inos.bench.blocks.workshop import open_workshop
from inos.consensus.costs import QUEUE_COSTS
from inos.genesis import load_network
from inos.primitives.transactions import Payload
from inos.primitives.units import TimeMs

TINY = {
    "max_block_cost_us": 30_000,
    "max_block_bytes": 200_000,
    "max_checked_bytes": 1 << 18,
    "max_voters": 5,
    "jury_size": 3,
}
PARAMS = msgspec.structs.replace(load_network("devnet").params, max_voters=5)
CHEAPEST = min(QUEUE_COSTS.values())
SEEN: dict[str, set[type]] = {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_block_is_as_large_as_the_rules_allow_and_is_connected(kind: Kind, tmp_path: Path) -> None:
    with open_workshop(tmp_path, "devnet", kind.count_people(PARAMS), TINY, doublings=3) as shop:
        found = kind.prepare(shop)
        start = shop.fill((), aggregate=found.aggregate)
        filled = shop.fill(found.orders, aggregate=found.aggregate)
        block, witness = shop.seal(filled)
        assert shop.rival is not None
        shop.ledger.add_block(*shop.rival, TimeMs(shop.rival[0].header.time_ms))
        assert shop.ledger.view.tip.id == block.header.parent, "the rival is no heavier"
        height = shop.height
        shop.ledger.add_block(block, witness, TimeMs(block.header.time_ms))
    assert shop.height == height + 1
    SEEN[kind.name] = {type(tx.payload) for tx in block.transactions}
    if found.started:
        assert start.cost_us >= CHEAPEST, "the start of the block has work"
    is_limited = filled.left_out is not None or kind.name in ("unbondings", "withdrawals", "registrations", "reports")
    assert is_limited, "an order more would have had room"


def test_every_payload_is_among_them() -> None:
    if len(SEEN) < len(KINDS):
        pytest.skip("only some kinds were made")
    assert set.union(*SEEN.values()) == set(get_args(Payload))
