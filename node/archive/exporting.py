"""Writes a chain into a file, and resumes an interrupted export."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from msgspec import Struct

from inos.chain.view import LedgerView
from inos.consensus.records import ProductWork
from inos.core.errors import NodeError
from inos.mesh.store import MatrixStore
from inos.node.archive.frames import (
    MAGIC,
    MAX_FRAME,
    NO_CHECKSUM,
    End,
    FrameReader,
    FrameWriter,
    Head,
    Kind,
    SealedBlock,
    encode_matrix_head,
)
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.transactions import JobMode, SubmitResult
from inos.primitives.units import HASH_BYTES, BlockId, Height, JobId, MatrixId
from inos.work.strips import NUMPY_TYPES, get_dtype

PART_SUFFIX: Final = ".part"


class Exported(Struct, frozen=True):
    """Counts what a file holds now."""

    first: int
    last: int
    blocks: int
    matrices: int
    absent: int
    """This many matrices that results are checked with are not here; the importing node asks peers for them."""
    bytes: int
    taken_up: int
    """This many blocks were in the file already, from an interrupted export."""


class _Part:
    """Says what a file holds so far, and where writing resumes: after its last block."""

    def __init__(self) -> None:
        self.size = 0
        self.checksum = NO_CHECKSUM
        self.blocks = 0
        self.written: set[MatrixId] = set()
        self.absent: set[MatrixId] = set()


def export_chain(
    ledger: LedgerView,
    store: MatrixStore,
    path: Path,
    on_progress: Callable[[str, int, int], None],
    *,
    has_matrices: bool = True,
) -> Exported:
    """Write every block of the connected chain that is here into the file `path`, beginning with the first.

    The file is written as `path` with ".part" added, and renamed when it is complete and on disk. If such a part
    exists, the export resumes after the last block in it that is undamaged and of this chain.

    Args:
        on_progress: is called with what is being written, how much of it is done, and how much there is.
        has_matrices: includes the matrices that checked results need; without them, the importing node needs peers
            that have them.

    Raises:
        NodeError: "nothing-to-export", "archive-exists". OSError: the disk refuses.
    """
    if path.exists():
        raise NodeError("archive-exists", f"{path} is there already", hint="give another name, or remove it")
    tip, first = ledger.tip.header.height, _find_first(ledger)
    name = path.with_name(path.name + PART_SUFFIX)
    part = _find_part(ledger, name, first)
    taken_up = part.blocks
    with name.open("r+b" if part.size else "w+b") as file:
        writer = _open_writer(file, part, ledger, first)
        for height in range(first + part.blocks, tip + 1):
            block_id = _get_id(ledger, height)
            block, witness = ledger.get_block(block_id), ledger.get_witness(block_id)
            if block is None or witness is None:
                raise NodeError("nothing-to-export", f"block {height} is incomplete here", hint="see: inos db check")
            for matrix in _list_matrices(ledger, block):
                if matrix not in part.written:
                    is_written = has_matrices and _write_matrix(writer, store, matrix)
                    (part.written if is_written else part.absent).add(matrix)
            writer.write(Kind.BLOCK, encode(SealedBlock(block, witness)))
            part.blocks += 1
            on_progress("blocks", part.blocks, tip - first + 1)
        writer.write(Kind.END, encode(End(part.blocks, len(part.written), ledger.tip.id)))
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    name.replace(path)
    return Exported(first, tip, part.blocks, len(part.written), len(part.absent - part.written), size, taken_up)


def _open_writer(file: BinaryIO, part: _Part, ledger: LedgerView, first: int) -> FrameWriter:
    file.truncate(part.size)
    file.seek(part.size)
    writer = FrameWriter(file, part.checksum)
    if not part.size:
        file.write(MAGIC)
        writer.write(Kind.HEAD, encode(Head(_get_id(ledger, 0), first)))
    return writer


def _find_first(ledger: LedgerView) -> int:
    """Return the first height from which on all bodies are here: above 1 if the node began with a state."""
    low, high = 1, ledger.tip.header.height
    if not high or ledger.get_block(ledger.tip.id) is None:
        hint = "let the node follow the chain first"
        raise NodeError("nothing-to-export", "this node has no block yet", hint=hint)
    while low < high:
        middle = (low + high) // 2
        if ledger.get_block(_get_id(ledger, middle)) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _find_part(ledger: LedgerView, path: Path, first: int) -> _Part:
    """Read as much of a part as is undamaged and of this chain."""
    part = _Part()
    if not path.exists():
        return part
    waiting: set[MatrixId] = set()
    try:
        with FrameReader(path) as frames:
            for frame in frames:
                if frame.kind is Kind.HEAD and decode(Head, frame.payload, limit=MAX_FRAME).first != first:
                    return part
                if frame.kind is Kind.MATRIX:
                    waiting.add(MatrixId(frame.payload[:HASH_BYTES]))
                if frame.kind is Kind.BLOCK:
                    block = decode(SealedBlock, frame.payload, limit=MAX_FRAME).block
                    if ledger.get_block_id(Height(first + part.blocks)) != compute_block_id(block.header):
                        return part
                    part.size, part.checksum, part.blocks = frame.end, frame.checksum, part.blocks + 1
                    part.written |= waiting
                    part.absent |= set(_list_matrices(ledger, block)) - part.written
                    waiting.clear()
    except (NodeError, CodecError):
        return part
    return part


def _list_matrices(ledger: LedgerView, block: Block) -> Iterator[MatrixId]:
    """Yield operands and results of the checked jobs that the block delivers."""
    for tx in block.transactions:
        if isinstance(tx.payload, SubmitResult):
            job = ledger.state.get_job(JobId(tx.payload.job))
            if job is not None and isinstance(job.work, ProductWork) and job.mode is JobMode.CHECKED:
                yield from (job.work.x.matrix_id, job.work.w.matrix_id, tx.payload.y.matrix_id)


def _write_matrix(writer: FrameWriter, store: MatrixStore, matrix: MatrixId) -> bool:
    """Write a matrix, and return whether it is here."""
    array = store.get(matrix)
    if array is None:
        return False
    dtype = get_dtype(array)
    data = np.ascontiguousarray(array, NUMPY_TYPES[dtype])
    writer.write(Kind.MATRIX, encode_matrix_head(matrix, dtype, *array.shape), data.reshape(-1).view(np.uint8).data)
    return True


def _get_id(ledger: LedgerView, height: int) -> BlockId:
    found = ledger.get_block_id(Height(height))
    if found is None:
        raise NodeError("nothing-to-export", f"block {height} is missing here", hint="see: inos db check")
    return found
