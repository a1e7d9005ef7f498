"""No bit of a mined block's header or witness can be changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.consensus.validity import check_block_sanity, check_seal, is_about_block
from inos.primitives.blocks import MAX_HEADER_BYTES, Block, Header, compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError, InvalidCertificate, RuleViolation
from inos.primitives.matrices import MAX_WITNESS_BYTES, Witness
from support.chain_maker import ALICE, BOB, Branch, MadeBlock

BRANCH = Branch()


@pytest.fixture(scope="module")
def made() -> MadeBlock:
    """The block has a transaction, and every field of its header has a different value."""
    BRANCH.grow()
    return BRANCH.draft(BRANCH.pay(ALICE, BOB.address), nonce=5)


def refuse(header: bytes, witness: bytes, made: MadeBlock) -> RuleViolation | None:
    """Return the rule that these bytes break, or None."""
    try:
        read = decode(Header, header, limit=MAX_HEADER_BYTES)
        proof = decode(Witness, witness, limit=MAX_WITNESS_BYTES)
        check_block_sanity(BRANCH.params, Block(read, made.block.transactions), get_bls())
        check_seal(BRANCH.params, read, proof)
    except RuleViolation as error:
        return error
    return None


def change(data: bytes, at: int, flipped: int) -> bytes:
    return data[:at] + bytes([data[at] ^ flipped]) + data[at + 1 :]


def test_it_is_valid_as_it_is(made: MadeBlock) -> None:
    assert refuse(encode(made.block.header), encode(made.witness), made) is None


def test_every_bit_of_the_header_counts(made: MadeBlock) -> None:
    """A change of any header field except the seal changes the anchor, and so the digest of every ticket."""
    header, witness = encode(made.block.header), encode(made.witness)
    for at in range(len(header)):
        for bit in range(8):
            changed = change(header, at, 1 << bit)
            assert refuse(changed, witness, made) is not None, f"byte {at}, bit {bit}"
            try:
                assert compute_block_id(decode(Header, changed, limit=MAX_HEADER_BYTES)) != made.id
            except CodecError:
                continue


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_the_witness_is_refused_and_blames_nobody_else(
    made: MadeBlock, data: st.DataObject
) -> None:
    header, witness = encode(made.block.header), encode(made.witness)
    ends = st.integers(0, 40) | st.integers(len(witness) - 40, len(witness) - 1)
    at = data.draw(ends | st.integers(0, len(witness) - 1))
    error = refuse(header, change(witness, at, data.draw(st.integers(1, 255))), made)
    assert isinstance(error, CodecError | InvalidCertificate)
    if isinstance(error, InvalidCertificate):
        assert not is_about_block(error)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_part_cut_off_or_put_on_is_refused(made: MadeBlock, data: st.DataObject) -> None:
    header, witness = encode(made.block.header), encode(made.witness)
    cut = data.draw(st.integers(0, len(header) - 1))
    assert isinstance(refuse(header[:cut], witness, made), CodecError)
    assert isinstance(refuse(header + header[cut:], witness, made), CodecError)
    cut = data.draw(st.integers(0, len(witness) - 1))
    assert isinstance(refuse(header, witness[:cut], made), CodecError)
    assert isinstance(refuse(header, witness + witness[cut:], made), CodecError)
