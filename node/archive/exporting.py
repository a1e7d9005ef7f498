"""Writing a chain into a file; taken up where it was broken off."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from msgspec import Struct

from inos.chain.ledger import Ledger
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
    """What a file holds now."""

    first: int
    last: int
    blocks: int
    matrices: int
    absent: int
    """Matrices that results are checked with and that are not here: whoever takes the file in asks peers for them."""
    bytes: int
    taken_up: int
    """Blocks that were in the file already, from a run that was broken off."""


class _Part:
    """What a file holds so far, and where writing goes on: after its last block."""

    def __init__(self) -> None:
        self.size = 0
        self.checksum = NO_CHECKSUM
        self.blocks = 0
        self.written: set[MatrixId] = set()
        self.absent: set[MatrixId] = set()


def export_chain(
    ledger: Ledger,
    store: MatrixStore,
    path: Path,
    tell: Callable[[str, int, int], None],
    *,
    has_matrices: bool = True,
) -> Exported:
    """Every block of the connected chain, from the first one that is here, into the file `path`.

    It is written as `path` with ".part" added, and renamed when it is whole and on disk; a part that is there is gone
    on with, as far as it is whole and of this chain.

    Args:
        tell: what is written, how much of it, of how much.
        has_matrices: whether the matrices go along that checked results need; without them, whoever takes the file in
            needs peers that have them.

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
                raise NodeError("nothing-to-export", f"block {height} is not here whole", hint="see: inos db check")
            for matrix in _list_matrices(ledger, block):
                if matrix not in part.written:
                    is_written = has_matrices and _write_matrix(writer, store, matrix)
                    (part.written if is_written else part.absent).add(matrix)
            writer.write(Kind.BLOCK, encode(SealedBlock(block, witness)))
            part.blocks += 1
            tell("blocks", part.blocks, tip - first + 1)
        writer.write(Kind.END, encode(End(part.blocks, len(part.written), ledger.tip.id)))
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    name.replace(path)
    return Exported(first, tip, part.blocks, len(part.written), len(part.absent - part.written), size, taken_up)


def _open_writer(file: BinaryIO, part: _Part, ledger: Ledger, first: int) -> FrameWriter:
    file.truncate(part.size)
    file.seek(part.size)
    writer = FrameWriter(file, part.checksum)
    if not part.size:
        file.write(MAGIC)
        writer.write(Kind.HEAD, encode(Head(_get_id(ledger, 0), first)))
    return writer


def _find_first(ledger: Ledger) -> int:
    """The first height from which on all bodies are here: above 1 where the node began with a state."""
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


def _find_part(ledger: Ledger, path: Path, first: int) -> _Part:
    """As much of a part as is whole and of this chain."""
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


def _list_matrices(ledger: Ledger, block: Block) -> Iterator[MatrixId]:
    """Operands and results of the checked jobs that the block delivers."""
    for tx in block.transactions:
        if isinstance(tx.payload, SubmitResult):
            job = ledger.state.get_job(JobId(tx.payload.job))
            if job is not None and job.mode is JobMode.CHECKED:
                yield from (job.x.matrix_id, job.w.matrix_id, tx.payload.y.matrix_id)


def _write_matrix(writer: FrameWriter, store: MatrixStore, matrix: MatrixId) -> bool:
    """Whether it is here."""
    array = store.get(matrix)
    if array is None:
        return False
    dtype = get_dtype(array)
    data = np.ascontiguousarray(array, NUMPY_TYPES[dtype])
    writer.write(Kind.MATRIX, encode_matrix_head(matrix, dtype, *array.shape), data.reshape(-1).view(np.uint8).data)
    return True


def _get_id(ledger: Ledger, height: int) -> BlockId:
    found = ledger.get_block_id(Height(height))
    if found is None:
        raise NodeError("nothing-to-export", f"block {height} is not on record", hint="see: inos db check")
    return found
