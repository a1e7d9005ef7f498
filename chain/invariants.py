"""What always holds of a block index. Only tests check it, as that reads every entry."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from inos.chain.entry import Entry
from inos.primitives.units import BlockId

if TYPE_CHECKING:
    from inos.chain.index import BlockIndex


def check_index(index: "BlockIndex", entries: Mapping[BlockId, Entry], held: Collection[Entry]) -> set[Entry]:
    """Check that all fields of an index follow from its entries, and return the valid ones that no final block
    excludes.

    Args:
        entries: the index's entries. held: its blocks that are held.

    Raises:
        AssertionError: names the field that does not.
    """
    check_entries(entries, index.genesis, index.root, index.strays)
    valid = {entry for entry in entries.values() if entry.invalid is None}
    open_ = {entry for entry in valid if index.is_after_final(entry)}
    assert index.unproven == sum(not entry.has_body for entry in valid), "unproven"
    assert set(held) == {entry for entry in open_ if entry.is_held}, "held"
    candidates = {entry for entry in open_ if entry.is_linked and not entry.is_held and not index.is_connected(entry)}
    assert index.side <= candidates, "side has a block that is no candidate"
    assert index.side >= {entry for entry in candidates if entry.weight > index.tip.weight}, "side lacks a candidate"
    assert {index.tip, index.root, index.best_header, index.heaviest} <= set(entries.values()), "a block is not indexed"
    assert index.is_connected(index.root), "the root is not connected"
    assert index.final.id in entries or index.is_connected(index.final), "the final block is not connected"
    assert index.tip.is_linked, "the tip is not linked"
    assert index.heaviest.weight == max(entry.weight for entry in open_), "heaviest"
    assert index.best_header.weight == max(entry.weight for entry in open_ if not entry.is_stalled), "best header"
    assert index.pledged is None or (index.pledged in open_ and not index.is_connected(index.pledged)), "pledged"
    return open_


def check_entries(entries: Mapping[BlockId, Entry], genesis: Entry, root: Entry, strays: Collection[Entry]) -> None:
    """Check the invariants between each entry and its parent.

    Args:
        root: the lowest connected block that is held in memory, besides genesis.
        strays: the first blocks of the branches that fork off below the root.

    Raises:
        AssertionError: names the invariant that does not hold.
    """
    for block, entry in entries.items():
        assert entry.id == block, "an entry is indexed under another id"
        assert all(entries.get(child.id) is child for child in entry.children), "a child is not indexed"
        assert (entry.link is None) == (entry in (genesis, root)), "a parent is not in memory"
        parent = entry.parent
        if parent is None:
            assert entry is genesis, "there is a second root"
            continue
        if entry is root:
            continue
        assert (entry in strays) == (entries.get(parent.id) is not parent or (parent is genesis is not root)), "stray"
        assert entry in parent.children, "a parent does not list its child"
        assert entry.weight > parent.weight, "a block has no weight"
        assert entry.is_linked == (entry.has_body and parent.is_linked), "is_linked does not follow from the bodies"
        assert entry.invalid is not None or parent.invalid is None, "a child of an invalid block is valid"
        assert entry.is_held or not (entry.is_linked and parent.is_held), "a child of a held block is not held"
