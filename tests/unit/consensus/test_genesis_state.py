"""Tests the genesis block: its contents, and that its id binds everything on which the network was founded."""

from typing import Any

import msgspec
import pytest

from inos.consensus.genesis_state import compute_genesis_commitment, make_genesis
from inos.consensus.params import Params
from inos.consensus.records import MARKET_KEY, Account, Market, account_key
from inos.consensus.statetree import compute_state_root
from inos.consensus.validity import check_header_sanity
from inos.primitives.blocks import compute_block_id
from inos.primitives.codec import encode
from inos.primitives.units import Address, Hash, Nano, TimeMs
from support.consensus_lab import ALICE, ALLOCATIONS, BOB, GENESIS_TIME, PARAMS, get_code


def test_header_and_records() -> None:
    genesis = make_genesis(PARAMS, GENESIS_TIME, ALLOCATIONS)
    header = genesis.header
    assert genesis.records == {
        account_key(ALICE.address): encode(Account(balance=1_000_000)),
        account_key(BOB.address): encode(Account(balance=500_000)),
        MARKET_KEY: encode(Market(minted=1_500_000, burned=0, escrowed=0)),
    }
    assert header.state_root == compute_state_root(genesis.records)
    assert (header.height, header.time_ms, header.chain_id, header.seal) == (0, GENESIS_TIME, 77, None)
    assert header.tx_root == bytes(32)
    assert int.from_bytes(header.target, "big") == 2**256 // 600 - 1
    assert header.parent == compute_genesis_commitment(PARAMS, GENESIS_TIME, ALLOCATIONS)
    check_header_sanity(PARAMS, header)


def test_a_given_parent_is_taken() -> None:
    parent = Hash(b"p" * 32)
    assert make_genesis(PARAMS, GENESIS_TIME, ALLOCATIONS, parent).header.parent == parent


CHANGES: dict[str, Any] = {name: getattr(PARAMS, name) + 1 for name in Params.__struct_fields__ if name != "network"}


@pytest.mark.parametrize("name", Params.__struct_fields__)
def test_every_parameter_moves_the_id(name: str) -> None:
    params = msgspec.structs.replace(PARAMS, **{name: CHANGES.get(name, "other")})
    ids = {compute_block_id(make_genesis(p, GENESIS_TIME, ALLOCATIONS).header) for p in (PARAMS, params)}
    assert len(ids) == 2


def test_time_and_allocations_move_the_id_and_their_order_does_not() -> None:
    plain = compute_genesis_commitment(PARAMS, GENESIS_TIME, ALLOCATIONS)
    assert compute_genesis_commitment(PARAMS, TimeMs(GENESIS_TIME + 1), ALLOCATIONS) != plain
    assert compute_genesis_commitment(PARAMS, GENESIS_TIME, {ALICE.address: Nano(1)}) != plain
    turned = dict(reversed(ALLOCATIONS.items()))
    assert compute_genesis_commitment(PARAMS, GENESIS_TIME, turned) == plain
    assert compute_genesis_commitment(PARAMS, GENESIS_TIME, {**ALLOCATIONS, Address(bytes(20)): Nano(0)}) == plain


@pytest.mark.parametrize(
    ("allocations", "code"),
    [
        ({b"a" * 19: 1}, "bad-address"),
        ({b"a" * 20: -1}, "overflow"),
        ({b"a" * 20: 2**63, b"b" * 20: 2**63}, "overflow"),
        ({b"a" * 20: 2**63, b"b" * 20: 2**63 - 1}, ""),
        ({b"a" * 20: 0}, ""),
    ],
)
def test_bad_allocations(allocations: dict[bytes, int], code: str) -> None:
    given = {Address(a): Nano(n) for a, n in allocations.items()}
    assert get_code(lambda: make_genesis(PARAMS, GENESIS_TIME, given)) == code
