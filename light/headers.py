"""A light client keeps a tree of headers, checked as far as headers can be, above the last final block."""

from collections.abc import Sequence
from typing import Final

from inos.chain.blocks import encode_weight
from inos.chain.entry import Entry, get_ancestor, make_context
from inos.chain.index import BlockIndex
from inos.chain.schema import StoredHeader
from inos.consensus.codes import Code
from inos.consensus.finality import is_checkpoint
from inos.consensus.params import Params
from inos.consensus.validity import check_clock, check_header_context, check_header_sanity
from inos.genesis import Network
from inos.light.errors import Unknown
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.errors import ParentMissing, RuleViolation
from inos.primitives.units import BlockId, TimeMs

MAX_UNFINAL: Final = 1_000_000
"""This many headers above the last final block are kept, on all branches, of about 4 KB each."""
KEPT: Final = 64
"""This many headers below those in memory are kept, as a block's context reaches some blocks back."""
BEGIN_LATER: Final = "begin with --checkpoint and a final block you trust"


class RecentHeaders:
    """The `HeaderRecords` of a client without a disk: the last headers that the index dropped, and no others.

    Args:
        count: this many are kept.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._records: dict[BlockId, StoredHeader] = {}
        self._ids: dict[int, BlockId] = {}

    def add(self, entry: Entry) -> None:
        """Keep a header, the one above the last one that was added."""
        self._records[entry.id] = StoredHeader(entry.header, entry.arrival, encode_weight(entry.weight))
        self._ids[entry.height] = entry.id
        old = self._ids.pop(entry.height - self._count, None)
        if old is not None:
            del self._records[old]

    def get(self, block: BlockId) -> StoredHeader | None:
        return self._records.get(block)

    def get_id(self, height: int) -> BlockId | None:
        return self._ids.get(height)

    def get_invalid(self, block: BlockId) -> tuple[str, str] | None:
        return None

    def has_body(self, block: BlockId) -> bool:
        return False


class Headers:
    """Checks stages 1 and 2 of every header; `inos.light.seals` checks the seals."""

    def __init__(self, network: Network) -> None:
        self._params: Params = network.params
        self._recent = RecentHeaders(max(KEPT, network.params.median_time_blocks))
        self.index = BlockIndex(network.params, network.genesis_id, network.state.header, self._recent)
        self._final_checkpoints: set[BlockId] = set()
        """The checkpoints on the final chain whose headers are dropped."""
        self._proven: set[BlockId] = set()
        self.final: Entry = self.index.genesis
        """This is the last final block; it is genesis before there is another one."""

    def get_at(self, height: int) -> Entry:
        """Return the heaviest chain's block at a height, up to its tip."""
        return get_ancestor(self.index.heaviest, height)

    def is_on_best(self, block: BlockId) -> bool:
        """Return True if the block is on the heaviest chain. Of the blocks below the final ones in memory, only the
        checkpoints are known.
        """
        if block in self._final_checkpoints:
            return True
        entry = self.index.get(block)
        return entry is not None and entry.height <= self.index.heaviest.height and self.get_at(entry.height) is entry

    def add(self, headers: Sequence[Header], now_ms: TimeMs) -> int:
        """Add headers in order, and return how many were new.

        Raises:
            RuleViolation: of the first invalid one; those before it are added.
            ParentMissing, ClockAhead: the source is not at fault.
        """
        added = 0
        for header in headers:
            block = compute_block_id(header)
            known = self.index.get(block)
            if known is None:
                self._add(block, header, now_ms)
                added += 1
            elif known.invalid is not None:
                raise RuleViolation(known.invalid[0], f"block {block.hex()}: {known.invalid[1]}")
        return added

    def _add(self, block: BlockId, header: Header, now_ms: TimeMs) -> None:
        check_header_sanity(self._params, header)
        parent = self.index.get(BlockId(header.parent))
        if parent is None:
            raise ParentMissing(BlockId(header.parent))
        if parent.invalid is not None:
            raise RuleViolation(parent.invalid[0], f"block {parent.id.hex()}: {parent.invalid[1]}")
        if not self.index.is_after_final(parent):
            raise RuleViolation(
                Code.CONFLICTS_WITH_FINAL, f"block {header.height} leaves the chain below a final block"
            )
        if self.index.unproven >= MAX_UNFINAL:
            raise Unknown("too-many-headers", f"more than {MAX_UNFINAL} headers above what is final", hint=BEGIN_LATER)
        check_header_context(self._params, header, make_context(self._params, parent))
        check_clock(self._params, header, now_ms)
        self.index.add(block, header, parent)

    def set_proven(self, block: BlockId) -> None:
        """Record that the block's witness was checked."""
        self._proven.add(block)

    def is_proven(self, block: BlockId) -> bool:
        return block in self._proven

    def set_final(self, entry: Entry) -> None:
        """Make a block final: no branch may leave the chain below it, and blocks below it need no other proof."""
        self.index.adopt(entry)
        self.index.restore_tip(entry)
        self.index.set_final(entry)
        self.final = entry
        self._trim()
        self._proven = {block for block in self._proven if (e := self.index.get(block)) and e.height > entry.height}

    def is_final_checkpoint(self, block: BlockId) -> bool:
        """Return True for a checkpoint on the final chain whose header is dropped."""
        return block in self._final_checkpoints

    def _trim(self) -> None:
        plan = self.index.plan_trim()
        if plan is None:
            return
        for entry in reversed(plan.buried):
            self._recent.add(entry)
            if is_checkpoint(self._params, entry.height):
                self._final_checkpoints.add(entry.id)
        self.index.trim(plan)

    def list_unproven(self, top: Entry) -> list[Entry]:
        """Return the blocks above the last final one up to `top` whose witness is unchecked, highest first."""
        found: list[Entry] = []
        entry: Entry | None = top
        while entry is not None and entry.height > self.final.height:
            if entry.id not in self._proven:
                found.append(entry)
            entry = entry.parent
        return found
