"""Headers, seals and blocks that are refused."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from inos.consensus.codes import Code
from inos.consensus.times import check_clock
from inos.consensus.validity import check_block_sanity, check_header_sanity, check_seal
from inos.primitives.blocks import Block
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import STRIP_BYTES, DType, make_matrix_ref
from inos.primitives.transactions import SubmitResult, Transfer
from inos.primitives.units import TimeMs
from support.chain_maker import EASY, NOW, Branch, MadeBlock, feed
from support.consensus_lab import ALICE, BOB, GENESIS_TIME, PARAMS, Lab, edit, make_result
from support.final_chain import make_voted_branch
from support.provoked.registry import do, make_claimed, mine, provokes

# Encoding


@provokes(Code.TOO_LARGE)
def send_a_block_over_the_limit() -> None:
    data = encode(Lab().make_block())
    decode(Block, data, limit=len(data) - 1)


@provokes(Code.MALFORMED)
def send_something_else_for_a_block() -> None:
    decode(Block, encode((1, 2, 3)), limit=1000)


@provokes(Code.NOT_CANONICAL)
def send_a_block_in_another_spelling() -> None:
    data = encode(Lab().make_block())
    assert data[0] == 0x93
    decode(Block, b"\xdc\x00\x03" + data[1:], limit=100_000)


# Headers


def check_edited(**changes: Any) -> None:
    lab = Lab()
    lab.connect(edit(lab.make_block(), **changes))


def check_seal_edited(**changes: Any) -> None:
    lab = Lab()
    block = lab.make_block()
    assert block.header.seal is not None
    lab.connect(edit(block, seal=msgspec.structs.replace(block.header.seal, **changes)))


PROVOKING_HEADERS: dict[Code, dict[str, Any]] = {
    Code.BAD_VERSION: {"version": 9},
    Code.WRONG_CHAIN_ID: {"chain_id": 78},
    Code.TARGET_OUT_OF_RANGE: {"target": bytes(32)},
    Code.MISSING_SEAL: {"seal": None},
    Code.BAD_PARENT: {"parent": b"p" * 32},
    Code.BAD_HEIGHT: {"height": 2},
    Code.BAD_TARGET: {"target": (2**200).to_bytes(32, "big")},
    Code.TIME_TOO_OLD: {"time_ms": GENESIS_TIME},
    Code.BAD_STATE_ROOT: {"state_root": b"s" * 32},
}
PROVOKING_SEALS: dict[Code, dict[str, Any]] = {
    Code.TICKET_OUT_OF_RANGE: {"i": 1},
    Code.DIGEST_ABOVE_TARGET: {"digest": b"\xff" * 32},
}
for _code, _changes in PROVOKING_HEADERS.items():
    provokes(_code)(lambda changes=_changes: check_edited(**changes))
for _code, _changes in PROVOKING_SEALS.items():
    provokes(_code)(lambda changes=_changes: check_seal_edited(**changes))


@provokes(Code.UNEXPECTED_SEAL)
def seal_genesis() -> None:
    check_header_sanity(PARAMS, edit(Lab().make_block(), height=0).header)


@provokes(Code.TIME_TOO_NEW)
def come_from_the_future() -> None:
    header = Lab().make_block().header
    check_clock(PARAMS, header, TimeMs(header.time_ms - PARAMS.max_future_ms - 1))


# Seals and witnesses


def check_witness(side: str, strip: bytes | None = None, path: tuple[...] = (), *, commits: bool = False) -> None:
    """Check a mined block with another strip or path on one side; `commits`: the matrix has 15 rows and only that
    strip.
    """
    made = Branch().grow()
    header, witness = made.block.header, made.witness
    assert header.seal is not None
    given = getattr(witness, f"{side}_strip") if strip is None else strip
    witness = msgspec.structs.replace(witness, **{f"{side}_strip": given, f"{side}_path": path})
    if commits:
        ref = make_matrix_ref(DType.INT7, 15, 1024, compute_hash(Context.MATRIX_STRIP, given))
        header = edit(made.block, seal=msgspec.structs.replace(header.seal, **{side: ref})).header
    check_seal(EASY, header, witness)


LAST_ROW_USED, OUT_OF_RANGE = b"\1" * STRIP_BYTES, b"\x64" * (15 * 1024) + bytes(1024)
for _side, _length, _path, _padding, _range in (
    ("x", Code.BAD_X_PATH_LENGTH, Code.BAD_X_PATH, Code.X_NONZERO_PADDING, Code.X_ENTRY_OUT_OF_RANGE),
    ("w", Code.BAD_W_PATH_LENGTH, Code.BAD_W_PATH, Code.W_NONZERO_PADDING, Code.W_ENTRY_OUT_OF_RANGE),
):
    provokes(_length)(lambda side=_side: check_witness(side, path=(bytes(32),)))
    provokes(_path)(lambda side=_side: check_witness(side, bytes(STRIP_BYTES)))
    provokes(_padding)(lambda side=_side: check_witness(side, LAST_ROW_USED, commits=True))
    provokes(_range)(lambda side=_side: check_witness(side, OUT_OF_RANGE, commits=True))


@provokes(Code.DIGEST_MISMATCH)
def seal_another_header() -> None:
    made = Branch().grow()
    check_seal(EASY, edit(made.block, nonce=made.block.header.nonce + 1).header, made.witness)


# Blocks


@provokes(Code.BAD_TX_ROOT)
def swap_the_body() -> None:
    lab = Lab()
    block = lab.make_block()
    lab.connect(Block(block.header, (lab.sign(ALICE, Transfer(BOB.address, 1)),)))


@provokes(Code.BLOCK_TOO_LARGE)
def fill_a_block_over_its_limit() -> None:
    lab = Lab()
    crowd = [lab.sign(ALICE, Transfer(BOB.address, 1), ahead=ahead) for ahead in range(160)]
    check_block_sanity(lab.params, lab.make_block(crowd), get_bls(), is_verified=lambda tx: True)


@provokes(Code.DUPLICATE_TRANSACTION)
def include_a_transaction_twice() -> None:
    lab = Lab()
    tx = lab.sign(ALICE, Transfer(BOB.address, 1))
    mine(lab, tx, tx)


@provokes(Code.BLOCK_TOO_COSTLY)
def fill_a_block_over_its_cost() -> None:
    lab = Lab(msgspec.structs.replace(PARAMS, max_block_cost_us=399))
    mine(lab, *[lab.sign(ALICE, Transfer(BOB.address, 1), ahead=ahead) for ahead in range(2)])


@provokes(Code.TOO_MANY_MATRIX_BYTES)
def name_more_matrices_than_a_block_may() -> None:
    lab, job = make_claimed()
    lab.params = msgspec.structs.replace(PARAMS, max_checked_block_bytes=12 * STRIP_BYTES - 1)
    do(lab, BOB, SubmitResult(job, make_result(32, 48)))


@provokes(Code.CONFLICTS_WITH_FINAL)
def leave_the_chain_below_a_final_block() -> None:
    branch = make_voted_branch(4)
    other = branch.fork(back=branch.height - 2)
    foreign: MadeBlock = other.grow(nonce=9)
    with TemporaryDirectory() as folder:
        ledger = branch.open_ledger(Path(folder))
        try:
            feed(ledger, branch.blocks)
            assert ledger.view.final.header.height > 3
            ledger.add_header(foreign.block.header, NOW)
        finally:
            ledger.close()
