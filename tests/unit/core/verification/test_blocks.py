"""A body is checked as a whole before the ledger sees it, which repeats nothing of this."""

import msgspec
import pytest

from inos.consensus.validity import BodyMismatch
from inos.core.verification.backends import InlineBackend
from inos.core.verification.blocks import BlockVerifier, CheckedSeal
from inos.primitives.blocks import Block, compute_tx_root
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import compute_tx_id
from support.chain_maker import ALICE, BOB, Branch

BRANCH = Branch()
MADE = BRANCH.grow_by(2)
PAYMENTS = [BRANCH.pay(ALICE, BOB.address, ahead=ahead) for ahead in range(3)]


class Pool:
    """A pool with these transactions."""

    def __init__(self, *known):
        self._known = {*known}

    def has(self, tx):
        return tx in self._known


def make_body(transactions):
    """Return a block of these transactions with the right root; its seal is not looked at."""
    header = msgspec.structs.replace(MADE[0].block.header, tx_root=compute_tx_root(transactions))
    return Block(header, tuple(transactions))


async def check(block, seal_header=None, **params):
    verifier = BlockVerifier(
        msgspec.structs.replace(BRANCH.params, **params), InlineBackend(get_bls()), ledger=None, pool=Pool()
    )
    seal = CheckedSeal(seal_header or block.header, MADE[0].witness)
    return await verifier.check_body(seal, block)


async def test_right_body_passes_up_to_its_exact_size():
    block = make_body(PAYMENTS)
    checked = await check(block, max_block_bytes=len(encode(block)))
    assert (checked.block, checked.witness) == (block, MADE[0].witness)
    assert checked.ids == tuple(map(compute_tx_id, PAYMENTS))


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (Block(MADE[0].block.header, tuple(PAYMENTS)), "bad-tx-root"),
        (make_body([PAYMENTS[0], PAYMENTS[1], PAYMENTS[0]]), "duplicate-transaction"),
        (make_body([PAYMENTS[0], msgspec.structs.replace(PAYMENTS[1], fee=3)]), "bad-signature"),
    ],
)
async def test_wrong_body_is_refused(block, code):
    with pytest.raises(RuleViolation) as caught:
        await check(block)
    assert caught.value.code == code
    assert isinstance(caught.value, BodyMismatch) == (code == "bad-tx-root")


async def test_body_that_is_too_large_is_refused():
    block = make_body(PAYMENTS)
    with pytest.raises(RuleViolation) as caught:
        await check(block, max_block_bytes=len(encode(block)) - 1)
    assert caught.value.code == "block-too-large"


async def test_body_of_another_header_is_a_mismatch():
    with pytest.raises(BodyMismatch) as caught:
        await check(make_body(PAYMENTS), seal_header=MADE[1].block.header)
    assert caught.value.code == "bad-tx-root"


class WholeBackend(InlineBackend):
    """Has a process that checks whole blocks and finds fault with a spoiled witness."""

    async def check_block(self, params, block, witness):
        return tuple(map(compute_tx_id, block.transactions)) if witness == MADE[0].witness else None


async def test_a_block_that_a_process_checked_whole_is_checked_and_a_wrong_one_is_left_to_the_other_checks():
    block = make_body(PAYMENTS)
    verifier = BlockVerifier(BRANCH.params, WholeBackend(get_bls()), ledger=None, pool=Pool())
    checked = await verifier.check_whole(block, MADE[0].witness)
    assert (checked.block, checked.witness, checked.ids) == (
        block,
        MADE[0].witness,
        tuple(map(compute_tx_id, PAYMENTS)),
    )
    spoiled = msgspec.structs.replace(MADE[0].witness, x_strip=b"")
    assert await verifier.check_whole(block, spoiled) is None
