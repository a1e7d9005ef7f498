"""Validity of headers, blocks and transactions, as far as it needs no state.

Stage 1 (`check_*_sanity`, `check_seal`) needs only the object itself, and stage 2 (`check_header_context`) its parent.
Stage 3 is `execution`.

An invalid header or body condemns the block id for ever, with two exceptions that `is_about_block` knows: a body or a
witness that was sent with a header to which it does not belong says nothing about the header.
"""

from collections.abc import Callable, Sequence

from inos import work
from inos.consensus.codes import Code
from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.matrixrules import check_product_refs
from inos.consensus.params import Params
from inos.consensus.target import MIN_TARGET, compute_target
from inos.consensus.times import check_clock, check_median_time
from inos.consensus.transactionrules import check_transaction_sanity, check_transactions_sanity
from inos.primitives.blocks import (
    HEADER_VERSION,
    Block,
    Header,
    compute_anchor,
    compute_root_of_ids,
    encode_target,
    get_target,
)
from inos.primitives.bls import Bls
from inos.primitives.codec import encode
from inos.primitives.errors import InosError, InvalidCertificate, RuleViolation
from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS, Seal, Witness
from inos.primitives.transactions import compute_tx_id
from inos.primitives.units import TxId

__all__ = [
    "AsertAnchor",
    "BodyMismatch",
    "HeaderContext",
    "check_block_sanity",
    "check_body_sanity",
    "check_clock",
    "check_header_context",
    "check_header_sanity",
    "check_seal",
    "check_transaction_sanity",
    "check_transactions_sanity",
    "is_about_block",
]


class BodyMismatch(RuleViolation):
    """The transactions are not those that the header names. The block may be valid, since anybody can send a wrong
    body.
    """


def is_about_block(error: InosError) -> bool:
    """Return True if `error` condemns the block id itself, so that it and its descendants may be remembered as invalid.

    A foreign body or a failed certificate does not condemn it. The block id does not cover the witness, so anybody can
    send a good header with a bad witness.
    """
    return isinstance(error, RuleViolation) and not isinstance(error, BodyMismatch | InvalidCertificate)


def check_header_sanity(params: Params, header: Header) -> None:
    """Check a header by itself (stage 1); the seal is checked as far as possible without its witness.

    Raises:
        RuleViolation: "bad-version", "wrong-chain-id", "target-out-of-range", "unexpected-seal", "missing-seal",
            "bad-dimensions", "bad-matrix-id", "depth-mismatch", "ticket-out-of-range", "digest-above-target".
    """
    if header.version != HEADER_VERSION:
        raise RuleViolation(Code.BAD_VERSION, "the header's version", expected=HEADER_VERSION, got=header.version)
    if header.chain_id != params.chain_id:
        raise RuleViolation(Code.WRONG_CHAIN_ID, "the header's chain", expected=params.chain_id, got=header.chain_id)
    if not MIN_TARGET <= get_target(header) <= params.max_target:
        raise RuleViolation(
            Code.TARGET_OUT_OF_RANGE,
            f"target of block {header.height}",
            expected=f"{MIN_TARGET:064x} .. {params.max_target:064x}",
            got=header.target.hex(),
        )
    if header.height == 0:
        if header.seal is not None:
            raise RuleViolation(Code.UNEXPECTED_SEAL, "a header at height 0 with a seal; genesis has none")
        return
    if header.seal is None:
        raise RuleViolation(Code.MISSING_SEAL, f"block {header.height} has no seal")
    _check_seal_sanity(header.seal, get_target(header))


def check_block_sanity(
    params: Params, block: Block, bls: Bls, *, is_verified: Callable[[TxId], bool] | None = None
) -> list[TxId]:
    """Check a block without its witness (stage 1); return the transactions' ids.

    Args:
        is_verified: returns True for the id of a transaction that passed `check_transaction_sanity` with these
            parameters before. It is not checked again, since signatures are the costly part.

    Raises:
        BodyMismatch: "bad-tx-root", before anything else in the body is checked.
        RuleViolation: for the same reasons as `check_header_sanity`; "block-too-large", "duplicate-transaction"; or for
            those of `check_transaction_sanity`, naming the transaction.
    """
    check_header_sanity(params, block.header)
    ids = check_body_sanity(params, block)
    for index, (tx, tx_id) in enumerate(zip(block.transactions, ids, strict=True)):
        if is_verified is not None and is_verified(tx_id):
            continue
        try:
            check_transaction_sanity(params, tx, bls)
        except RuleViolation as error:
            raise RuleViolation(error.code, f"transaction {index} ({tx_id.hex()}): {error.message}") from error
    return ids


def check_body_sanity(params: Params, block: Block) -> list[TxId]:
    """Check transaction root, size, and that no transaction is there twice; return the transactions' ids.

    Raises:
        RuleViolation: for the same reasons as `check_block_sanity`, but for those of the header and of a transaction.
    """
    ids = [compute_tx_id(tx) for tx in block.transactions]
    root = compute_root_of_ids(ids, block.aggregate)
    if root != block.header.tx_root:
        raise BodyMismatch(Code.BAD_TX_ROOT, "transaction root", expected=block.header.tx_root.hex(), got=root.hex())
    size = len(encode(block))
    if size > params.max_block_bytes:
        raise RuleViolation(
            Code.BLOCK_TOO_LARGE, "bytes of the block", expected=f"<= {params.max_block_bytes}", got=size
        )
    _check_duplicates(ids)
    return ids


def check_seal(params: Params, header: Header, witness: Witness) -> None:
    """Check that the witness proves that the seal's ticket won under this header's anchor (stage 1).

    Raises:
        InvalidCertificate: names the reason. The witness alone may be at fault: see `is_about_block`.
        RuleViolation: "missing-seal".
    """
    if header.seal is None:
        raise RuleViolation(Code.MISSING_SEAL, f"block {header.height} has no seal")
    work.verify(header.seal, witness, compute_anchor(header), get_target(header))


def check_header_context(params: Params, header: Header, context: HeaderContext) -> None:
    """Check that the header continues `context.parent` (stage 2).

    Raises:
        RuleViolation: "bad-parent", "bad-height", "time-too-old", "bad-target".
    """
    if header.parent != context.parent_id:
        raise RuleViolation(Code.BAD_PARENT, "parent", expected=context.parent_id.hex(), got=header.parent.hex())
    if header.height != context.parent.height + 1:
        raise RuleViolation(Code.BAD_HEIGHT, "height", expected=context.parent.height + 1, got=header.height)
    check_median_time(params, header, context.recent_times_ms)
    target = encode_target(compute_target(params, context))
    if header.target != target:
        raise RuleViolation(
            Code.BAD_TARGET, f"target of block {header.height}", expected=target.hex(), got=header.target.hex()
        )


def _check_seal_sanity(seal: Seal, target: int) -> None:
    check_product_refs(seal.x, seal.w, "seal")
    strips_x, strips_w = -(-seal.x.rows // STRIP_ROWS), -(-seal.w.rows // STRIP_ROWS)
    panels = -(-seal.x.cols // PANEL_BYTES)
    if seal.i >= strips_x or seal.j >= strips_w or seal.p >= panels:
        raise RuleViolation(
            Code.TICKET_OUT_OF_RANGE,
            "the seal's ticket is outside its product",
            expected=f"below ({strips_x}, {strips_w}, {panels})",
            got=f"({seal.i}, {seal.j}, {seal.p})",
        )
    if int.from_bytes(seal.digest, "big") > target:
        raise RuleViolation(
            Code.DIGEST_ABOVE_TARGET, "the seal's digest", expected=f"at most {target:064x}", got=seal.digest.hex()
        )


def _check_duplicates(ids: Sequence[TxId]) -> None:
    seen: set[TxId] = set()
    for index, tx_id in enumerate(ids):
        if tx_id in seen:
            raise RuleViolation(Code.DUPLICATE_TRANSACTION, f"transaction {index} is in the block twice: {tx_id.hex()}")
        seen.add(tx_id)
