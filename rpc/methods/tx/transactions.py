"""tx_*: handing in transactions, and what waits to be mined."""

from typing import Annotated

from pydantic import Field, StringConstraints

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.transactions import MAX_TX_BYTES, Transaction, get_sender
from inos.primitives.units import TxId
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.render import KINDS, make_renderer
from inos.rpc.schemas import AddressText, Count, Hex32, Model, NanoText, NumberText, TxKind

DIGITS = frozenset("0123456789abcdefABCDEF")
MAX_LISTED = 1000
TYPICAL_TX_BYTES = 500
"""The largest kind, a posted job, takes about 450."""


class SendParams(Model):
    hex: Annotated[
        str,
        StringConstraints(min_length=2, max_length=2 * MAX_TX_BYTES),
        Field(description="Canonical encoding of a signed transaction, as hex digits."),
    ]


class Sent(Model):
    id: Hex32


class PoolParams(Model):
    limit: Annotated[int, Field(ge=0, le=MAX_LISTED, description="How many to list.")] = 100


class PooledTransaction(Model):
    id: Hex32
    sender: AddressText
    nonce: Count
    fee: NanoText
    kind: TxKind
    size: Count


class Pool(Model):
    """Transactions that wait to be mined; `count` and `bytes` are of all, the list may be shorter."""

    count: Count
    bytes: Count
    transactions: list[PooledTransaction]


class FeeParams(Model):
    size: Annotated[int, Field(ge=1, le=MAX_TX_BYTES, description="Bytes of the transaction.")] = TYPICAL_TX_BYTES


class FeeEstimate(Model):
    fee: Annotated[NanoText, Field(description="For the whole transaction.")]
    fee_per_byte: Annotated[NumberText, Field(description="Nano per byte, rounded up.")]


@method("tx_send")
async def tx_send(node: NodePort, params: SendParams) -> Sent:
    """Hand in a signed transaction; it is checked, put into the pool and announced to peers.

    A refusal names the rule (-32003) or the pool's reason (-32004) in data.code; nothing is stored then.
    """
    return Sent(id=(await node.add_transaction(decode_hex(params.hex))).hex())


@method("tx_pool")
async def tx_pool(node: NodePort, params: PoolParams) -> Pool:
    """What waits in this node's pool."""
    renderer = make_renderer(node)
    listed: list[PooledTransaction] = []
    for tx_id in list(node.mempool.list_ids())[: params.limit]:
        tx = node.mempool.get(TxId(tx_id))
        if tx is None:
            continue
        listed.append(
            PooledTransaction(
                id=tx_id.hex(),
                sender=renderer.address(get_sender(tx)),
                nonce=tx.nonce,
                fee=str(tx.fee),
                kind=KINDS[type(tx.payload)],
                size=len(encode(tx)),
            )
        )
    return Pool(count=len(node.mempool), bytes=node.mempool.bytes_used, transactions=listed)


@method("tx_estimateFee", examples=(Example("of a transfer", {}),))
async def tx_estimate_fee(node: NodePort, params: FeeParams) -> FeeEstimate:
    """A fee with which a transaction should be mined soon."""
    fee = node.mempool.estimate_fee(params.size)
    return FeeEstimate(
        fee=str(fee),
        fee_per_byte=str(-(-fee // params.size)),
    )


def decode_hex(text: str) -> Transaction:
    """The transaction in hex text.

    Raises:
        RpcError: invalid params, "not-hex", or the codec's code where the bytes are no transaction.
    """
    if len(text) % 2 or not set(text) <= DIGITS:
        raise make_invalid_param("hex", "not an even number of hex digits", code="not-hex")
    try:
        return decode(Transaction, bytes.fromhex(text), limit=MAX_TX_BYTES)
    except CodecError as error:
        raise make_invalid_param("hex", error.message, code=error.code) from error
