"""Challenges of 2 MiB between peers: one answer holds one of them, and all that was announced comes all the same."""

from msgspec.structs import replace

from inos.network.wire.limits import get_limit
from inos.network.wire.messages import encode_message
from inos.network.wire.transactions import Transactions
from inos.primitives.codec import encode
from inos.primitives.matrices import MAX_PANELS, MAX_RESULT_PATH, STRIP_BYTES, StripRow
from inos.primitives.transactions import MAX_TX_BYTES, Challenge, Transaction, compute_tx_id, sign_transaction
from support.network_fakes import CHAIN_ID, FAST, FakeNode, get_address, make_service, make_tx, running, until

PATH = (bytes(32),) * 2 * MAX_RESULT_PATH


def make_challenge(nonce: int) -> Transaction:
    """The largest there is."""
    row = StripRow(bytes([nonce]) * MAX_PANELS * STRIP_BYTES, PATH)
    payload = Challenge(bytes(32), 2**32 - 1, 2**32 - 1, row, row, StripRow(bytes(STRIP_BYTES), PATH))
    return sign_transaction(b"\x05" * 32, CHAIN_ID, nonce, 2**63, payload)


def test_the_largest_transaction_fits_every_limit_on_its_way() -> None:
    tx = make_challenge(1)
    assert 2_000_000 < len(encode(tx)) <= MAX_TX_BYTES
    assert len(encode_message(Transactions(2**63, (tx,)))) <= get_limit(Transactions).max_bytes
    assert len(encode_message(Transactions(1, (make_tx(0),) * 256))) <= get_limit(Transactions).max_bytes


async def test_several_large_ones_announced_at_once_all_come() -> None:
    first, second = FakeNode(), FakeNode()
    sent = [make_tx(0), make_challenge(1), make_challenge(2), make_tx(3), make_challenge(4)]
    patient = replace(FAST, transactions=10.0)
    a = make_service(first, 1, limits=patient)
    await a.start()
    b = make_service(second, 2, get_address(a), limits=patient)
    async with running(a, b):
        await until(lambda: a.peers() and b.peers())
        for tx in sent:
            await first.add_transaction(tx)
        await until(lambda: all(second.mempool.has(compute_tx_id(tx)) for tx in sent), 10)
