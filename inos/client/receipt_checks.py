"""Checks of a receipt: what it proves by itself, and whether its block is one that the reader has reason to believe.

Anybody can make a chain of their own with the state they like, at the cost of its work. So the payment is proven only
if the block is bound to something believed from elsewhere; see `receipt_bounds`.
"""

import secrets
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.client.operands import to_operand
from inos.client.receipt import PRODUCT_BITS, Receipt, ReceiptBlock
from inos.consensus.finality.trust import Step
from inos.consensus.params import Params
from inos.consensus.records import MAX_RECORD_BYTES, Job, JobState, ProductWork, job_key
from inos.consensus.statetree import StateProof, check_proof
from inos.consensus.validity import check_header_sanity, check_seal
from inos.genesis import Network
from inos.primitives.blocks import MAX_HEADER_BYTES, Header, compute_block_id, compute_weight
from inos.primitives.codec import decode
from inos.primitives.errors import InosError
from inos.primitives.matrices import MAX_WITNESS_BYTES, Witness
from inos.primitives.units import HASH_BYTES, JobId, StateRoot

MAX_STEP_BYTES: Final = 64 << 10
MAX_SIBLINGS: Final = 256
UNBOUND: Final = "give --checkpoint HEIGHT:ID of a final block you believe, or --node URL of a node you believe"


class Check(Struct, frozen=True):
    """One thing the receipt says, and whether it is so. `is_ok` None: it was not checked."""

    name: str
    is_ok: bool | None
    detail: str


class Verdict(Struct, frozen=True):
    """What all checks together say."""

    checks: tuple[Check, ...]

    @property
    def is_wrong(self) -> bool:
        """Return True if any check failed."""
        return any(check.is_ok is False for check in self.checks)

    @property
    def is_paid(self) -> bool:
        """Return True if the receipt proves that the job was settled on the network's chain."""
        return not self.is_wrong and self._is_ok("bound")

    @property
    def is_product(self) -> bool:
        """Return True if Y was checked to be X * W^T."""
        return not self.is_wrong and self._is_ok("product")

    def _is_ok(self, name: str) -> bool:
        return any(check.name == name and check.is_ok is True for check in self.checks)


class Unproven(Exception):
    """What would be needed for a check is not there. Its text says what."""


class Contents(Struct, frozen=True):
    """A receipt's byte strings, decoded."""

    job: JobId
    record: Job
    headers: tuple[Header, ...]
    """The block with the record's state, and those that followed it."""
    steps: tuple[Step, ...]


Bound = Callable[[Contents], str]
"""It says why the receipt's block is believed; it raises Unproven, or ValueError or InosError if it is not."""


def check_receipt(
    receipt: Receipt,
    network: Network,
    x: NDArray[Any] | None = None,
    w: NDArray[Any] | None = None,
    y: NDArray[Any] | None = None,
    bound: Bound | None = None,
) -> Verdict:
    """Check everything that the receipt and the matrices that are given allow, in order."""
    checks: list[Check] = []

    def run(name: str, check: Callable[[], str]) -> None:
        try:
            checks.append(Check(name, True, check()))
        except Unproven as error:
            checks.append(Check(name, None, str(error)))
        except (InosError, ValueError) as error:
            checks.append(Check(name, False, error.message if isinstance(error, InosError) else str(error)))

    run("network", lambda: _check_network(receipt, network))
    run("settlement", lambda: _check_settlement(receipt))
    run("block", lambda: _check_block(receipt, network.params))
    run("depth", lambda: _check_depth(receipt, network.params))
    is_sound = not any(check.is_ok is False for check in checks)
    run("bound", lambda: _check_bound(receipt, bound, is_sound))
    for name, array in (("x", x), ("w", w), ("y", y)):
        run(name, lambda name=name, array=array: _check_matrix(receipt, name, array))  # type: ignore[misc]
    run("product", lambda: _check_product(receipt, x, w, y))
    return Verdict(tuple(checks))


def read_contents(receipt: Receipt) -> Contents:
    """Decode a receipt.

    Raises:
        ValueError, CodecError: bytes that are not what they should be.
    """
    steps = tuple(decode(Step, _read_hex(step, "a step"), limit=MAX_STEP_BYTES) for step in receipt.steps)
    links = [step.aggregate.link for step in steps]
    if any(link.source != before.target for before, link in pairwise(links)):
        raise ValueError("the steps of finality are not a chain")
    return Contents(
        JobId(_read_hex(receipt.job, "the job's id", HASH_BYTES)),
        decode(Job, _read_hex(receipt.record, "the record"), limit=MAX_RECORD_BYTES),
        tuple(_read_header(block) for block in (receipt.block, *receipt.confirmations)),
        steps,
    )


def _check_network(receipt: Receipt, network: Network) -> str:
    if (receipt.network, receipt.genesis) != (network.name, network.genesis_id.hex()):
        own = network.genesis_id.hex()[:16]
        raise ValueError(
            f"written for {receipt.network!r:.40}, genesis {receipt.genesis:.16}...; {network.name} has {own}..."
        )
    if receipt.soundness_bits != PRODUCT_BITS:
        raise ValueError(f"claims a soundness of {receipt.soundness_bits} bits, and the check has {PRODUCT_BITS}")
    return f"{network.name}, genesis {receipt.genesis[:16]}..."


def _check_settlement(receipt: Receipt) -> str:
    """Check that the record is the job's, says settled, and is in the block's state."""
    contents = read_contents(receipt)
    record, header = contents.record, contents.headers[0]
    product = record.work
    if not isinstance(product, ProductWork):
        raise ValueError("the record is that of a task")
    if record.state is not JobState.SETTLED or product.y is None:
        raise ValueError(f"the record says {record.state.name.lower()}")
    if (receipt.x, receipt.w, receipt.y) != (product.x.id.hex(), product.w.id.hex(), product.y.id.hex()):
        raise ValueError("the matrices named are not those of the record")
    if len(receipt.siblings) > MAX_SIBLINGS:
        raise ValueError(f"{len(receipt.siblings)} siblings, and a proof has at most {MAX_SIBLINGS}")
    siblings = tuple(_read_hex(sibling, "a sibling", HASH_BYTES) for sibling in receipt.siblings)
    value = bytes.fromhex(receipt.record)
    if not check_proof(StateRoot(header.state_root), job_key(contents.job), value, StateProof(siblings, None)):
        raise ValueError("the record does not lead to the block's state root")
    return f"settled at height {record.closed_at}, in the state of block {header.height}"


def _check_block(receipt: Receipt, params: Params) -> str:
    """Check that the header keeps the network's bounds, and that tickets were drawn for it."""
    header = _read_header(receipt.block)
    check_header_sanity(params, header)
    if not _is_proven(params, header, receipt.block):
        raise Unproven("the receipt does not hold the witness of its seal")
    return f"its seal stands for {compute_weight(header)} tickets"


def _check_depth(receipt: Receipt, params: Params) -> str:
    """Check that the headers that follow are a chain; those without a witness do not count."""
    last, weight, proven = _read_header(receipt.block), 0, 0
    for block in receipt.confirmations:
        header = _read_header(block)
        check_header_sanity(params, header)
        if header.parent != compute_block_id(last) or header.height != last.height + 1:
            raise ValueError(f"header {header.height} does not follow {last.height}")
        if _is_proven(params, header, block):
            weight += compute_weight(header)
            proven += 1
        last = header
    if not proven:
        raise Unproven("no block that follows is proven")
    return f"{proven} blocks that follow are proven, {weight} tickets"


def _check_bound(receipt: Receipt, bound: Bound | None, is_sound: bool) -> str:
    if not is_sound:
        raise Unproven("not checked, since the receipt is wrong")
    contents = read_contents(receipt)
    if bound is None:
        raise Unproven(f"nothing says that this block is on the network's chain; {UNBOUND}")
    return bound(contents)


def _check_matrix(receipt: Receipt, name: str, array: NDArray[Any] | None) -> str:
    if array is None:
        raise Unproven("no file given")
    ref = work.matrix_ref(array if name == "y" else to_operand(array, name.upper()))
    expected = getattr(receipt, name)
    if ref.id.hex() != expected:
        raise ValueError(f"the file is matrix {ref.id.hex()}, the receipt names {expected:.64}")
    return f"{ref.rows} x {ref.cols}, {expected[:16]}..."


def _check_product(receipt: Receipt, x: NDArray[Any] | None, w: NDArray[Any] | None, y: NDArray[Any] | None) -> str:
    """Check Freivalds' equation with the protocol's seed, and with one that nobody could know before."""
    if x is None or w is None or y is None:
        raise Unproven("needs --x, --w and --y")
    left, right, contents = to_operand(x, "X"), to_operand(w, "W"), read_contents(receipt)
    product = contents.record.work
    if not isinstance(product, ProductWork) or product.y is None:
        raise ValueError("the record has no result of a product")
    if y.dtype != np.int32 or y.shape != (len(x), len(w)) or x.shape[1] != w.shape[1]:
        raise ValueError(f"X {x.shape}, W {w.shape} and Y {y.shape}, {y.dtype}, are no product")
    seed = work.compute_freivalds_seed(contents.job, product.x.id, product.w.id, product.y.id)
    for one in (seed, secrets.token_bytes(HASH_BYTES)):
        if not work.freivalds(left, right, y, one):
            raise ValueError("Y is not X times W transposed")
    return f"Y = X times W transposed; a wrong Y passes with probability 2^-{PRODUCT_BITS} at most"


def _is_proven(params: Params, header: Header, block: ReceiptBlock) -> bool:
    """Return False if there is no witness; raise if it is wrong."""
    if block.witness is None:
        return False
    check_seal(params, header, decode(Witness, _read_hex(block.witness, "a witness"), limit=MAX_WITNESS_BYTES))
    return True


def _read_header(block: ReceiptBlock) -> Header:
    return decode(Header, _read_hex(block.header, "a header"), limit=MAX_HEADER_BYTES)


def _read_hex(text: str, name: str, size: int | None = None) -> bytes:
    data = bytes.fromhex(text)
    if not data or data.hex() != text or size not in (None, len(data)):
        raise ValueError(f"{name} is {text!r:.40}, and not {'' if size is None else f'{size} bytes in '}lower-case hex")
    return data
