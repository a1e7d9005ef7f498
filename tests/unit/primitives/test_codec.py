"""Every value has one encoding: decoded bytes encode to themselves, and all others are refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.transactions import (
    MAX_TX_BYTES,
    ClaimJob,
    Transaction,
    Transfer,
    compute_tx_id,
    is_transaction_signed,
    sign_transaction,
)

SECRET = bytes(31) + b"\x07"
u64 = st.integers(0, 2**64 - 1)
payloads = st.one_of(
    st.builds(Transfer, st.binary(min_size=20, max_size=20), u64),
    st.builds(ClaimJob, st.binary(min_size=32, max_size=32)),
)


@given(st.integers(0, 2**32 - 1), u64, u64, payloads)
def test_transactions_survive_the_codec(chain_id: int, nonce: int, fee: int, payload: Transfer | ClaimJob) -> None:
    tx = sign_transaction(SECRET, chain_id, nonce, fee, payload)
    data = encode(tx)
    assert decode(Transaction, data, limit=MAX_TX_BYTES) == tx
    assert is_transaction_signed(tx)


@given(st.data())
def test_a_changed_byte_never_keeps_id_and_signature(data: st.DataObject) -> None:
    tx = sign_transaction(SECRET, 7, 1, 2, Transfer(bytes(20), 5))
    raw = bytearray(encode(tx))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode(Transaction, bytes(raw), limit=MAX_TX_BYTES)
    except CodecError:
        return
    assert compute_tx_id(changed) != compute_tx_id(tx)
    assert not is_transaction_signed(changed)


def test_too_large_is_refused_before_decoding() -> None:
    with pytest.raises(CodecError, match="at most 10 bytes") as caught:
        decode(Transaction, bytes(11), limit=10)
    assert caught.value.code == "too-large"


@pytest.mark.parametrize(
    "data",
    [
        b"\xcd\x00\x05",  # 5 encoded in two bytes
        b"\xd0\x05",  # 5 encoded as a signed byte
    ],
)
def test_another_spelling_of_the_same_value_is_refused(data: bytes) -> None:
    assert msgspec.msgpack.decode(data) == 5
    with pytest.raises(CodecError) as caught:
        decode(int, data, limit=100)
    assert caught.value.code == "not-canonical"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93", b"\x80", b"\x91" * 5000])
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError) as caught:
        decode(Transaction, data, limit=10_000)
    assert caught.value.code == "malformed"


def test_extra_fields_are_refused() -> None:
    tx = sign_transaction(SECRET, 7, 1, 2, Transfer(bytes(20), 5))
    fields = msgspec.msgpack.decode(encode(tx))
    with pytest.raises(CodecError):
        decode(Transaction, msgspec.msgpack.encode([*fields, 0]), limit=MAX_TX_BYTES)
