"""Imports a chain from a file; every block is checked as if a peer had sent it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, assert_never

from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.chain.ledger import Ledger
from inos.core.errors import NodeError
from inos.core.verification.blocks import check_block
from inos.mesh.store import MatrixStore
from inos.node.archive.frames import MAX_FRAME, End, Frame, FrameReader, Head, Kind, SealedBlock, decode_matrix
from inos.primitives.blocks import compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.codec import decode
from inos.primitives.errors import CodecError, InosError, ParentMissing, RuleViolation, VerdictMissing
from inos.primitives.units import HASH_BYTES, BlockId
from inos.work.matrices import matrix_ref

BATCH: Final = 64
"""This many blocks go to disk together; a killed import loses no more."""
THREADS: Final = 2


class Imported(Struct):
    """Counts what an import read."""

    first: int = 0
    """The file begins at this height."""
    blocks: int = 0
    """The file holds this many blocks."""
    known: int = 0
    """This many of them were here already."""
    matrices: int = 0
    """This many matrices were stored."""
    height: int = 0
    """The connected tip has this height now."""


def import_chain(
    ledger: Ledger, store: MatrixStore, path: Path, clock: Clock, on_progress: Callable[[str, int, int], None]
) -> Imported:
    """Import what `export_chain` wrote, block by block. Blocks that are here already are skipped, so an interrupted
    import is resumed by starting it again.

    Args:
        on_progress: is called with what is being read, how many bytes of the file are done, and how many there are.

    Raises:
        NodeError: see FrameReader; "other-genesis"; "archive-gap": blocks before those of the file are not here;
            "matrices-missing": a result cannot be checked without matrices that are not in the file.
        RuleViolation: a block of the file is invalid. The blocks before it stay.
    """
    importer = _Importer(ledger, store, path, clock)
    with FrameReader(path) as frames, ThreadPoolExecutor(THREADS) as pool:
        for frame in frames:
            importer.take(frame, pool)
            on_progress("bytes", frame.end, frames.size)
        importer.connect(pool)
    if not importer.is_whole:
        raise NodeError("archive-truncated", f"{path} has no end frame", hint="export it again")
    importer.found.height = ledger.view.tip.header.height
    return importer.found


def check_head(path: Path, genesis: BlockId) -> None:
    """Check that a file is a chain of this genesis, before anything is made for it."""
    with FrameReader(path) as frames:
        frame = next(iter(frames), None)
        try:
            head = None if frame is None else decode(Head, frame.payload, limit=MAX_FRAME)
        except CodecError:
            head = None
    if frame is None or frame.kind is not Kind.HEAD or head is None:
        raise NodeError("archive-damaged", f"{path} does not say whose chain it is", hint="export it again")
    _check_genesis(path, head, genesis)


class _Importer:
    """Holds the state of one import."""

    def __init__(self, ledger: Ledger, store: MatrixStore, path: Path, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._path = path
        self._clock = clock
        self._waiting: list[SealedBlock] = []
        self._head: Head | None = None
        self._tip: BlockId | None = None
        """The last block that was read."""
        self._matrix_count = 0
        self.found = Imported()
        self.is_whole = False

    def take(self, frame: Frame, pool: ThreadPoolExecutor) -> None:
        if self.is_whole:
            self._refuse("data follows the end frame")
        if (self._head is None) != (frame.kind is Kind.HEAD):
            self._refuse("it does not say once, and at its beginning, whose chain it is")
        try:
            match frame.kind:
                case Kind.HEAD:
                    self._take_head(decode(Head, frame.payload, limit=MAX_FRAME))
                case Kind.MATRIX:
                    self._take_matrix(frame.payload)
                case Kind.BLOCK:
                    self._take_block(decode(SealedBlock, frame.payload, limit=MAX_FRAME), pool)
                case Kind.END:
                    self._take_end(decode(End, frame.payload, limit=MAX_FRAME))
                case _:
                    assert_never(frame.kind)
        except CodecError as error:
            self._refuse(error.message)

    def _take_head(self, head: Head) -> None:
        _check_genesis(self._path, head, self._ledger.view.get_locator()[-1])
        self._head = head
        self.found.first = head.first

    def _take_end(self, end: End) -> None:
        if end != End(self.found.blocks, self._matrix_count, self._tip or bytes(HASH_BYTES)):
            self._refuse("it holds other blocks or matrices than its end frame says")
        self.is_whole = True

    def _take_matrix(self, payload: bytes) -> None:
        self._matrix_count += 1
        matrix, array = decode_matrix(payload)
        if self._store.has(matrix):
            return
        if matrix_ref(array).id != matrix:
            self._refuse(f"the matrix {matrix.hex()} does not match its id")
        self._store.put(array, is_own=False)
        self.found.matrices += 1

    def _take_block(self, sealed: SealedBlock, pool: ThreadPoolExecutor) -> None:
        height, expected = sealed.block.header.height, self.found.first + self.found.blocks
        if height != expected:
            self._refuse(f"it has block {height} where block {expected} belongs")
        self.found.blocks += 1
        self._tip = compute_block_id(sealed.block.header)
        status = self._ledger.view.get_status(self._tip)
        if status in ("connected", "stored"):
            self.found.known += 1
            return
        self._waiting.append(sealed)
        if len(self._waiting) == BATCH:
            self.connect(pool)

    def connect(self, pool: ThreadPoolExecutor) -> None:
        """Check and connect the blocks that wait."""
        batch, self._waiting = self._waiting, []
        params = self._ledger.view.params
        check = partial(check_block, params, self._ledger.view.bls)
        found = list(pool.map(lambda sealed: check(sealed.block, sealed.witness), batch))
        first_bad = next((at for at, each in enumerate(found) if isinstance(each, RuleViolation)), len(found))
        valid = [each for each in found[:first_bad] if isinstance(each, CheckedBlock)]
        _, errors = self._ledger.add_checked_blocks(valid, self._clock.now_ms())
        faults = [each if isinstance(each, RuleViolation) else None for each in found[first_bad:]]
        for sealed, error in zip(batch, [*errors, *faults], strict=True):
            if error is not None:
                self._explain(sealed, error)

    def _explain(self, sealed: SealedBlock, error: InosError) -> NoReturn:
        height = sealed.block.header.height
        if isinstance(error, ParentMissing):
            have = self._ledger.view.tip.header.height
            hint = "import the file with the blocks before these first, or let the node fetch them from peers"
            raise NodeError("archive-gap", f"{self._path} continues at block {height}, this node has {have}", hint=hint)
        if isinstance(error, VerdictMissing):
            raise NodeError(
                "matrices-missing",
                f"block {height} delivers a result that cannot be checked without {_name(error.ids)}",
                hint="export with matrices, or start the node: it fetches them from peers and continues by itself",
            )
        raise error

    def _refuse(self, why: str) -> NoReturn:
        raise NodeError("archive-damaged", f"{self._path}: {why}", hint="export it again: imported blocks stay")


def _check_genesis(path: Path, head: Head, genesis: BlockId) -> None:
    if head.genesis != genesis:
        raise NodeError(
            "other-genesis",
            f"{path} holds a chain of genesis {head.genesis.hex()}, this network's is {genesis.hex()}",
            hint="give the --network the file was exported from",
        )


def _name(ids: Iterable[bytes]) -> str:
    first, *others = (each.hex() for each in ids)
    return f"matrix {first}" + (f" and {len(others)} more" if others else "")
