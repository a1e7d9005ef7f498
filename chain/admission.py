"""Checks of new headers before the ledger indexes and stores them, and the removal of headers whose blocks do not
arrive.
"""

from collections.abc import Sequence

from inos.chain.blocks import Batch, BlockStore
from inos.chain.database import Database
from inos.chain.entry import Entry, make_context
from inos.chain.index import BlockIndex
from inos.chain.trimming import make_erase_batch
from inos.consensus.codes import Code
from inos.consensus.params import Params
from inos.consensus.validity import check_clock, check_header_context, check_header_sanity
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.errors import NotYet, ParentMissing, RuleViolation
from inos.primitives.units import BlockId, TimeMs


class Admission:
    """Checks headers for a ledger. It belongs to the writer's thread."""

    def __init__(self, params: Params, database: Database, index: BlockIndex) -> None:
        self._params = params
        self._db = database
        self._index = index
        self._blocks = BlockStore(database)

    def tick(self, now_ms: TimeMs) -> None:
        """Forget headers whose blocks have been waited for too long."""
        self._erase(self._index.tick(now_ms))

    def add_header(self, header: Header, now_ms: TimeMs, most: int) -> None:
        """Check, index and store a header without its body, unless it is known.

        Args:
            most: the largest number of headers without bodies to keep.

        Raises:
            RuleViolation: it is invalid, or descends from a block that is.
            ParentMissing, ClockAhead, NotYet "too-many-headers", "conflicts-with-final": nothing is stored.
        """
        block_id = compute_block_id(header)
        known = self._find(block_id, header)
        if known is not None:
            refuse_invalid(known)
            return
        self._make_room(most)
        self._check_new(header, now_ms)
        entry = self._index.add(block_id, header, self.get_parent(header))
        self._blocks.put_header(entry, self._index.recorded_root)

    def admit(self, block: Block, now_ms: TimeMs) -> Entry | None:
        """Check a block's header if it is new; else return what is known of the block.

        Raises:
            RuleViolation, ParentMissing, ClockAhead, NotYet: for the same reasons as `add_header`.
        """
        known = self._find(compute_block_id(block.header), block.header)
        if known is None:
            self._check_new(block.header, now_ms)
        else:
            refuse_invalid(known)
            if not known.has_body:
                self._refuse_below_final(known)
        return known

    def _find(self, block_id: BlockId, header: Header) -> Entry | None:
        parent = self._index.get(BlockId(header.parent))
        return self._index.get(block_id) if parent is None else self._index.find_child(block_id, parent)

    def get_parent(self, header: Header) -> Entry:
        """Return the header's parent.

        Raises:
            ParentMissing: it is not known here.
        """
        parent = self._index.get(BlockId(header.parent))
        if parent is None:
            raise ParentMissing(BlockId(header.parent))
        return parent

    def _make_room(self, most: int) -> None:
        self._erase(self._index.make_room(most))
        if self._index.unproven >= most:
            raise NotYet(
                "too-many-headers",
                f"{self._index.unproven} headers wait for their blocks already",
                hint="send it again later: there is room once blocks arrive or their wait ends",
            )

    def _erase(self, forgotten: Sequence[Entry]) -> None:
        batch: Batch = {}
        for entry in forgotten:
            batch |= make_erase_batch(entry)
        if batch:
            self._db.write(batch, is_synced=False)

    def _check_new(self, header: Header, now_ms: TimeMs) -> None:
        """Check a new header by itself (stage 1), then against its parent and the clock (stage 2)."""
        check_header_sanity(self._params, header)
        parent = self.get_parent(header)
        refuse_invalid(parent)
        self._refuse_below_final(parent)
        check_header_context(self._params, header, make_context(self._params, parent))
        check_clock(self._params, header, now_ms)

    def _refuse_below_final(self, entry: Entry) -> None:
        """Raise NotYet if the block does not descend from the last final one. The peer is not at fault, as it may not
        know yet what is final here.
        """
        if not self._index.is_after_final(entry):
            raise NotYet(
                Code.CONFLICTS_WITH_FINAL,
                f"the branch leaves the chain below its last final block, at height {self._index.final.height}",
                hint="this node never undoes a final block",
            )


def refuse_invalid(entry: Entry) -> None:
    """Raise the RuleViolation for which the block or an ancestor was condemned, if one was."""
    if entry.invalid is not None:
        raise RuleViolation(entry.invalid[0], f"block {entry.id.hex()}: {entry.invalid[1]}")
