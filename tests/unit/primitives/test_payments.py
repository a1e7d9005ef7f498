"""Tests the packed payments of a TransferMany."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.payments import Payment, compute_total, count_payments, iterate_payments, pack_payments
from inos.primitives.transactions import MANY_TX_BYTES, TransferMany, list_receivers, sign_transaction
from inos.primitives.units import U64_MAX, Address

addresses = st.binary(min_size=20, max_size=20).map(Address)
payments = st.dictionaries(addresses, st.integers(0, U64_MAX), min_size=1, max_size=40)


@given(payments)
def test_what_is_packed_is_read_again_in_the_order_of_addresses(found: dict[Address, int]) -> None:
    packed = pack_payments(Payment(to, amount) for to, amount in found.items())
    assert len(packed) == 28 * len(found)
    assert list(iterate_payments(packed)) == sorted(found.items())
    assert compute_total(packed) == sum(found.values())
    assert count_payments(packed) == len(found)
    assert list_receivers(TransferMany(packed)) == sorted(found)


@given(payments, st.binary(min_size=1, max_size=27))
def test_bytes_after_the_last_whole_payment_are_left_out(found: dict[Address, int], rest: bytes) -> None:
    packed = pack_payments(Payment(to, amount) for to, amount in found.items())
    assert list(iterate_payments(packed + rest)) == list(iterate_payments(packed))


def test_the_spelling_of_a_payment() -> None:
    to = Address(bytes(range(20)))
    assert pack_payments([Payment(to, 0x0102)]).hex() == "000102030405060708090a0b0c0d0e0f10111213" + "0000000000000102"


def test_a_transaction_with_256_payments_takes_28_bytes_for_each() -> None:
    found = [Payment(Address(bytes(19) + bytes([n])), U64_MAX - n) for n in range(256)]
    sizes = [
        len(encode(sign_transaction(b"\x05" * 32, 7, 2**63, 2**62, TransferMany(pack_payments(found[:count])))))
        for count in (10, 11, 256)
    ]
    assert sizes[1] - sizes[0] == 28
    assert sizes[2] < 256 * 28 + 140 < MANY_TX_BYTES


@pytest.mark.parametrize("size", [0, 27, 256 * 28 + 1])
def test_too_few_and_too_many_bytes_do_not_decode(size: int) -> None:
    with pytest.raises(CodecError, match="not a transfermany"):
        decode(TransferMany, encode(TransferMany(bytes(size))), limit=1 << 20)
