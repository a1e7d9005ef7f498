"""Tests a real seal under a real header, and changes anything in them."""

from typing import Any

import msgspec
import numpy as np
import pytest

from inos import work
from inos.consensus.validity import check_header_sanity, check_seal, is_about_block
from inos.primitives.blocks import Header, compute_anchor, get_target
from inos.primitives.errors import InvalidCertificate, RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.units import Target
from support.consensus_lab import PARAMS, Lab

EASY = msgspec.structs.replace(PARAMS, genesis_target=Target(2**252 - 1))


@pytest.fixture(scope="module")
def sealed() -> tuple[Header, Witness]:
    """Return a header with a seal found by multiplying 160 x 160 with depth 1030 (200 tickets at D = 16)."""
    rng = np.random.default_rng(5)
    x, w = (rng.integers(-64, 64, (160, 1030), dtype=np.int8) for _ in range(2))
    header = msgspec.structs.replace(Lab(EASY).make_block().header, seal=None)
    mined = work.mine(x, w, compute_anchor(header), get_target(header), threads=1)
    win = mined.wins[0]
    return msgspec.structs.replace(header, seal=win.seal), win.witness


def test_it_holds(sealed: tuple[Header, Witness]) -> None:
    header, witness = sealed
    check_header_sanity(EASY, header)
    check_seal(EASY, header, witness)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 1},
        {"beneficiary": bytes(20)},
        {"state_root": b"s" * 32},
        {"tx_root": b"t" * 32},
        {"parent": b"p" * 32},
        {"time_ms": 5},
        {"height": 2},
    ],
)
def test_it_holds_for_this_header_only(sealed: tuple[Header, Witness], changes: dict[str, Any]) -> None:
    header, witness = sealed
    with pytest.raises(InvalidCertificate):
        check_seal(EASY, msgspec.structs.replace(header, **changes), witness)


def test_a_bad_witness_does_not_condemn_the_block(sealed: tuple[Header, Witness]) -> None:
    header, witness = sealed
    strip = bytes([witness.x_strip[0] ^ 1]) + witness.x_strip[1:]
    with pytest.raises(InvalidCertificate) as caught:
        check_seal(EASY, header, msgspec.structs.replace(witness, x_strip=strip))
    assert not is_about_block(caught.value)


def test_no_seal_no_proof(sealed: tuple[Header, Witness]) -> None:
    header, witness = sealed
    with pytest.raises(RuleViolation) as caught:
        check_seal(EASY, msgspec.structs.replace(header, seal=None), witness)
    assert caught.value.code == "missing-seal"
