"""tx_send, tx_pool and tx_estimateFee."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from inos.consensus.costs import compute_cosigning_cost, compute_payments_cost
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError, InosError
from inos.primitives.multisig import MAX_KEYS
from inos.primitives.payments import MAX_PAYMENTS, PAYMENT_BYTES
from inos.primitives.transactions import MAX_TX_BYTES, Transaction, get_sender
from inos.primitives.units import TxId
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.models.render import KINDS, make_renderer
from inos.rpc.models.transactions import SentTransactionModel
from inos.rpc.models.values import AccountAddress, BigInteger, Count, Hash, Model, NanoAmount, TransactionKind
from inos.rpc.ports import NodePort

MAX_LISTED: Final = 1000
TYPICAL_TX_BYTES: Final = 500
"""The largest common kind, a posted job, takes about 450."""


class SendParams(Model):
    hex: Annotated[
        str,
        StringConstraints(min_length=2, max_length=2 * MAX_TX_BYTES),
        Field(description="The canonical encoding of a signed transaction, as hex digits."),
    ]


class PoolParams(Model):
    limit: Annotated[int, Field(ge=0, le=MAX_LISTED, description="The most transactions to list.")] = 100


class PooledTransactionModel(Model):
    """A transaction in the pool."""

    id: Annotated[Hash, Field(description="The transaction's id.")]
    sender: Annotated[AccountAddress, Field(description="The account that signed the transaction.")]
    nonce: Annotated[Count, Field(description="Its nonce.")]
    fee: Annotated[NanoAmount, Field(description="Its fee.")]
    kind: Annotated[TransactionKind, Field(description="What it does.")]
    size: Annotated[Count, Field(description="Bytes of the canonical encoding.")]


class PoolModel(Model):
    """Transactions that wait for a block."""

    count: Annotated[Count, Field(description="The number of all transactions in the pool.")]
    bytes: Annotated[Count, Field(description="The bytes of all transactions in the pool.")]
    transactions: Annotated[list[PooledTransactionModel], Field(description="Transactions, at most `limit`.")]


class FeeParams(Model):
    size: Annotated[int, Field(ge=1, le=MAX_TX_BYTES, description="The bytes of the transaction.")] = TYPICAL_TX_BYTES
    payments: Annotated[
        int, Field(ge=0, le=MAX_PAYMENTS, description="The payments of a transfer_many, whose bytes count too.")
    ] = 0
    signatures: Annotated[
        int, Field(ge=1, le=MAX_KEYS, description="The signatures that it needs; `size` counts their bytes.")
    ] = 1


class FeeEstimateModel(Model):
    """A fee with which a transaction should soon be in a block."""

    fee: Annotated[NanoAmount, Field(description="The fee for the whole transaction.")]
    fee_per_byte: Annotated[BigInteger, Field(description="Nano per byte, rounded up.")]


async def send_together(node: NodePort, calls: Sequence[SendParams]) -> list[SentTransactionModel | InosError | None]:
    """Send the transactions of several calls of `tx_send` in one group, but those whose checks take long."""
    decoded = [_try_to_decode(params.hex) for params in calls]
    sent = iter(await node.transactions.send_many([tx for tx in decoded if isinstance(tx, Transaction)]))
    outcomes = [each if isinstance(each, InosError) else next(sent) for each in decoded]
    return [SentTransactionModel(id=each.hex()) if isinstance(each, bytes) else each for each in outcomes]


def _try_to_decode(text: str) -> Transaction | InosError:
    try:
        return decode_hex(text)
    except InosError as error:
        return error


@method("tx_send", call_many=send_together)
async def tx_send(node: NodePort, params: SendParams) -> SentTransactionModel:
    """Send a signed transaction: the node checks it, puts it into its pool and relays it to peers.

    The node executes it on the tip if the transactions before it are on chain or in the pool. If it breaks a rule
    (-32003) or the pool refuses it (-32004), data.code says why, and nothing is stored.
    """
    return SentTransactionModel(id=(await node.transactions.send(decode_hex(params.hex))).hex())


@method("tx_pool")
async def tx_pool(node: NodePort, params: PoolParams) -> PoolModel:
    """List the transactions in this node's pool."""
    renderer = make_renderer(node)
    listed: list[PooledTransactionModel] = []
    for tx_id in list(node.mempool.list_best_first())[: params.limit]:
        tx = node.mempool.get(TxId(tx_id))
        if tx is None:
            continue
        listed.append(
            PooledTransactionModel(
                id=tx_id.hex(),
                sender=renderer.address(get_sender(tx)),
                nonce=tx.nonce,
                fee=str(tx.fee),
                kind=KINDS[type(tx.payload)],
                size=len(encode(tx)),
            )
        )
    return PoolModel(count=len(node.mempool), bytes=node.mempool.bytes_used, transactions=listed)


@method(
    "tx_estimateFee",
    examples=(Example("of a typical transaction", {}), Example("of many payments", {"payments": 200})),
)
async def tx_estimate_fee(node: NodePort, params: FeeParams) -> FeeEstimateModel:
    """Estimate a fee with which a transaction should soon be in a block."""
    size = min(MAX_TX_BYTES, params.size + params.payments * PAYMENT_BYTES)
    cost = compute_payments_cost(params.payments) + compute_cosigning_cost(params.signatures)
    fee = node.mempool.estimate_fee(size, cost)
    return FeeEstimateModel(fee=str(fee), fee_per_byte=str(-(-fee // size)))


def decode_hex(text: str) -> Transaction:
    """Return the transaction that hex text encodes.

    Raises:
        RpcError: "not-hex", or the codec's code if the bytes are not a transaction.
    """
    try:
        data = bytes.fromhex(text) if text.isalnum() else b""  # `fromhex` would take spaces.
    except ValueError:
        data = b""
    if not data:
        raise make_invalid_param("hex", "not an even number of hex digits", code="not-hex")
    try:
        return decode(Transaction, data, limit=MAX_TX_BYTES)
    except CodecError as error:
        raise make_invalid_param("hex", error.message, code=error.code) from error
