"""A receipt is one file that shows that a product was delivered, checked and paid. `receipt_checks` checks it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from inos.client.errors import ClientError
from inos.consensus.records import MAX_RECORD_BYTES, Job, JobState, ProductWork
from inos.primitives.codec import decode

FORMAT: Final = "inos receipt 2"
MAX_RECEIPT_BYTES: Final = 16 << 20
"""This is enough for 200 confirmations with their witnesses, which take 14 MB."""
PRODUCT_BITS: Final = 128
"""A wrong product passes Freivalds' check with probability 2^-128 at most (protocol, section 5)."""


class ReceiptBlock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A block's header, and the witness of its seal; null if the node did not keep it."""

    header: str
    witness: str | None


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt as it is in the file. Byte strings are lower-case hex."""

    format: str
    network: str
    genesis: str
    job: str
    record: str
    """The job's record, canonically encoded."""
    siblings: tuple[str, ...]
    """The siblings from just below the state root downwards."""
    block: ReceiptBlock
    """The block whose state holds the record."""
    confirmations: tuple[ReceiptBlock, ...]
    """The blocks that followed it."""
    steps: tuple[str, ...]
    """The steps of finality up to one that makes the block final, if any does; the oldest come first."""
    x: str
    w: str
    y: str
    soundness_bits: int


def make_receipt(
    job: str,
    network: str,
    genesis: str,
    proof: Mapping[str, Any],
    blocks: Sequence[ReceiptBlock],
    steps: Sequence[str] = (),
) -> Receipt:
    """Return a receipt made of its parts.

    Args:
        proof: the proof of the job's record, as job_prove and light_prove answer it.
        blocks: the block with this state, and those that followed it.

    Raises:
        ClientError: "job-open", "job-unknown".
    """
    value = proof["value"]
    if value is None:
        raise ClientError("job-unknown", f"there is no job {job} in the state")
    record = decode(Job, bytes.fromhex(value), limit=MAX_RECORD_BYTES)
    product = record.work
    if not isinstance(product, ProductWork):
        raise ClientError(
            "not-a-product", f"job {job} is a task, and a receipt shows a product", hint="see: inos job show JOB"
        )
    if record.state is not JobState.SETTLED or product.y is None:
        raise ClientError("job-open", f"job {job} is {record.state.name.lower()}; a receipt is for settled jobs")
    return Receipt(
        format=FORMAT,
        network=network,
        genesis=genesis,
        job=job,
        record=value,
        siblings=tuple(proof["siblings"]),
        block=blocks[0],
        confirmations=tuple(blocks[1:]),
        steps=tuple(steps),
        x=product.x.id.hex(),
        w=product.w.id.hex(),
        y=product.y.id.hex(),
        soundness_bits=PRODUCT_BITS,
    )


def read_receipt(path: Path) -> Receipt:
    """Read a receipt from its file.

    Raises:
        ClientError: "file-unreadable", "bad-receipt".
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_RECEIPT_BYTES + 1)
    except OSError as error:
        raise ClientError("file-unreadable", f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > MAX_RECEIPT_BYTES:
        raise ClientError("bad-receipt", f"{path} has more than {MAX_RECEIPT_BYTES >> 20} MiB")
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise ClientError("bad-receipt", f"{path} is not a receipt: {error}", hint=_get_hint(data)) from error
    if receipt.format != FORMAT:
        raise ClientError(
            "bad-receipt", f"{path} says {receipt.format!r:.60}, and not {FORMAT!r}", hint=_get_hint(data)
        )
    return receipt


def _get_hint(data: bytes) -> str:
    found = re.search(rb'"format"\s*:\s*"inos receipt (\d{1,3})"', data)
    if found is None:
        return "give a file that inos job receipt wrote"
    version = int(found[1])
    own = int(FORMAT.rsplit(" ", 1)[1])
    if version == own:
        return "the file was changed after inos job receipt wrote it"
    return "write the receipt again with inos job receipt" if version < own else "a newer version of inos wrote it"
