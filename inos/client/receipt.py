"""Receipts: one small file that shows a product was delivered, checked and paid, and is checked without any node."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.client.errors import ClientError
from inos.client.operands import to_operand
from inos.consensus.records import MAX_RECORD_BYTES, Job, JobState, StateKey, job_key
from inos.consensus.statetree import OtherLeaf, StateProof, check_proof
from inos.genesis import Network
from inos.primitives.blocks import (
    MAX_HEADER_BYTES,
    Header,
    compute_anchor,
    compute_block_id,
    compute_weight,
    get_target,
)
from inos.primitives.codec import decode
from inos.primitives.errors import InosError
from inos.primitives.matrices import Witness
from inos.primitives.units import JobId, StateRoot

FORMAT: Final = "inos receipt 1"
MAX_RECEIPT_BYTES: Final = 4 << 20
MAX_WITNESS_BYTES: Final = 64 << 10
PRODUCT_BITS: Final = 128
"""A wrong product passes Freivalds' check with probability 2^-128 at most (protocol, section 5)."""


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. Byte strings are hex."""

    format: str
    network: str
    genesis: str
    job: str
    record: str
    """The job's record, canonically encoded."""
    siblings: tuple[str, ...]
    """From below the state root downwards."""
    header: str
    """Of the block whose state holds the record."""
    witness: str
    """Of that header's seal."""
    confirmations: tuple[str, ...]
    """The headers that followed it."""
    x: str
    w: str
    y: str
    soundness_bits: int


class Check(Struct, frozen=True):
    """One thing the receipt says, and whether it is so. `is_ok` None: not looked at."""

    name: str
    is_ok: bool | None
    detail: str


def make_receipt(job: str, network: str, genesis: str, proven: Mapping[str, Any], after: tuple[str, ...]) -> Receipt:
    """Put together what job_prove and chain_getRawHeaders answered.

    Raises:
        ClientError: "job-open", "job-unknown", "witness-gone".
    """
    value = proven["proof"]["value"]
    if value is None:
        raise ClientError("job-unknown", f"there is no job {job} in the state")
    record = decode(Job, bytes.fromhex(value), limit=MAX_RECORD_BYTES)
    if record.state is not JobState.SETTLED or record.y is None:
        raise ClientError("job-open", f"job {job} is {record.state.name.lower()}; a receipt is for settled jobs")
    if proven["witness"] is None:
        raise ClientError("witness-gone", "this node no longer keeps the witness of its tip", hint="ask another node")
    return Receipt(
        format=FORMAT,
        network=network,
        genesis=genesis,
        job=job,
        record=value,
        siblings=tuple(proven["proof"]["siblings"]),
        header=proven["header"],
        witness=proven["witness"],
        confirmations=after,
        x=record.x.id.hex(),
        w=record.w.id.hex(),
        y=record.y.id.hex(),
        soundness_bits=PRODUCT_BITS,
    )


def read_receipt(path: Path) -> Receipt:
    """A receipt from its file.

    Raises:
        ClientError: "file-unreadable", "bad-receipt".
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_RECEIPT_BYTES + 1)
    except OSError as error:
        raise ClientError("file-unreadable", f"cannot read {path}: {error.strerror or error}") from error
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise ClientError("bad-receipt", f"{path} is not a receipt: {error}") from error
    if len(data) > MAX_RECEIPT_BYTES or receipt.format != FORMAT:
        raise ClientError("bad-receipt", f"{path} is not an {FORMAT!r}", hint="a newer version may have written it")
    return receipt


def check_receipt(
    receipt: Receipt,
    network: Network,
    x: NDArray[Any] | None = None,
    w: NDArray[Any] | None = None,
    y: NDArray[Any] | None = None,
) -> tuple[Check, ...]:
    """Everything that can be checked without a node, in order. What a matrix is missing for is not looked at."""
    checks: list[Check] = []

    def run(name: str, check: Callable[[], str]) -> None:
        try:
            checks.append(Check(name, True, check()))
        except (InosError, ValueError) as error:
            checks.append(Check(name, False, error.message if isinstance(error, InosError) else str(error)))

    run("network", lambda: _check_network(receipt, network))
    run("settlement", lambda: _check_settlement(receipt))
    run("block", lambda: _check_block(receipt, network))
    run("depth", lambda: _check_depth(receipt, network))
    for name, array in (("x", x), ("w", w), ("y", y)):
        if array is None:
            checks.append(Check(name, None, "no file given"))
        else:
            run(name, lambda name=name, array=array: _check_matrix(receipt, name, array))  # type: ignore[misc]
    if x is None or w is None or y is None:
        checks.append(Check("product", None, "needs --x, --w and --y"))
    else:
        run("product", lambda: _check_product(receipt, to_operand(x, "X"), to_operand(w, "W"), y))
    return tuple(checks)


def _check_network(receipt: Receipt, network: Network) -> str:
    if receipt.genesis != network.genesis_id.hex():
        own = network.genesis_id.hex()[:16]
        raise ValueError(f"written for genesis {receipt.genesis[:16]}..., {network.name} has {own}...")
    return f"{network.name}, genesis {receipt.genesis[:16]}..."


def _check_settlement(receipt: Receipt) -> str:
    """The record is the job's, says settled, and is in the block's state."""
    record = _read_record(receipt)
    if record.state is not JobState.SETTLED or record.y is None:
        raise ValueError(f"the record says {record.state.name.lower()}")
    if (receipt.x, receipt.w, receipt.y) != (record.x.id.hex(), record.w.id.hex(), record.y.id.hex()):
        raise ValueError("the matrices named are not those of the record")
    header = _read_header(receipt.header)
    proof = StateProof(tuple(bytes.fromhex(sibling) for sibling in receipt.siblings), _NO_OTHER)
    key: StateKey = job_key(JobId(bytes.fromhex(receipt.job)))
    if not check_proof(StateRoot(header.state_root), key, bytes.fromhex(receipt.record), proof):
        raise ValueError("the record does not lead to the block's state root")
    return f"settled at height {record.closed_at}, proven against the state of block {header.height}"


def _check_block(receipt: Receipt, network: Network) -> str:
    """The block's seal: tickets were drawn for exactly this header."""
    header = _read_header(receipt.header)
    if header.seal is None or header.chain_id != network.params.chain_id:
        raise ValueError("the header is none of this network's")
    witness = decode(Witness, bytes.fromhex(receipt.witness), limit=MAX_WITNESS_BYTES)
    target = get_target(header)
    work.verify(header.seal, witness, compute_anchor(header), target)
    return f"its seal stands for {compute_weight(header)} tickets"


def _check_depth(receipt: Receipt, network: Network) -> str:
    """The headers that follow are a chain; their seals' digests are small enough, which is not proven here."""
    last, weight = _read_header(receipt.header), 0
    for text in receipt.confirmations:
        header = _read_header(text)
        if header.parent != compute_block_id(last) or header.height != last.height + 1:
            raise ValueError(f"header {header.height} does not follow {last.height}")
        target = get_target(header)
        if header.seal is None or int.from_bytes(header.seal.digest, "big") > target:
            raise ValueError(f"the seal of header {header.height} misses its target")
        weight += compute_weight(header)
        last = header
    return f"{len(receipt.confirmations)} blocks follow, claiming {weight} tickets"


def _check_matrix(receipt: Receipt, name: str, array: NDArray[Any]) -> str:
    ref = work.matrix_ref(array if name == "y" else to_operand(array, name.upper()))
    expected = getattr(receipt, name)
    if ref.id.hex() != expected:
        raise ValueError(f"the file is matrix {ref.id.hex()}, the receipt names {expected}")
    return f"{ref.rows} x {ref.cols}, {expected[:16]}..."


def _check_product(receipt: Receipt, x: NDArray[np.int8], w: NDArray[np.int8], y: NDArray[Any]) -> str:
    """Freivalds' check with the protocol's seed, and with one nobody could know before."""
    record = _read_record(receipt)
    if record.y is None or y.dtype != np.int32 or y.shape != (len(x), len(w)) or x.shape[1] != w.shape[1]:
        raise ValueError(f"X {x.shape}, W {w.shape} and Y {y.shape}, {y.dtype}, are no product")
    seed = work.compute_freivalds_seed(JobId(bytes.fromhex(receipt.job)), record.x.id, record.w.id, record.y.id)
    for one in (seed, secrets.token_bytes(32)):
        if not work.freivalds(x, w, y, one):
            raise ValueError("Y is not X times W transposed")
    return f"Y = X times W transposed; a wrong Y passes with probability 2^-{PRODUCT_BITS} at most"


def _read_record(receipt: Receipt) -> Job:
    return decode(Job, bytes.fromhex(receipt.record), limit=MAX_RECORD_BYTES)


def _read_header(text: str) -> Header:
    return decode(Header, bytes.fromhex(text), limit=MAX_HEADER_BYTES)


_NO_OTHER: OtherLeaf | None = None
