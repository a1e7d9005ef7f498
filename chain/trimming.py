"""Moves the root of the index up: which blocks leave memory, and what a restart must know about them."""

from typing import Final

from msgspec import Struct

from inos.chain import schema
from inos.chain.blocks import Batch
from inos.chain.entry import Below, Entry, get_ancestor, iterate_subtree

DEPTH: Final = 1024
"""This many connected blocks below the tip are held in memory if fewer are above the last final block: a longer
reorganisation works too, and reads the blocks that it undoes from disk.
"""
STEP: Final = 256
"""The root is moved by at least this many blocks at once."""


class Trim(Struct, frozen=True, eq=False):
    """One move of the root."""

    root: Entry
    """The new root."""
    buried: list[Entry]
    """The connected blocks from the former root to below the new one."""
    strays: set[Entry]
    """The first blocks of the branches that fork off below the new root and stay."""
    excluded: list[Entry]
    """The blocks on branches that leave the chain below the last final block, parents first."""


def plan_trim(root: Entry, tip: Entry, final: Entry, strays: set[Entry]) -> Trim | None:
    """Return the next move of the root, or None if it is less than STEP.

    Args:
        final: the last final block, which is connected.
    """
    height = max(final.height, tip.height - DEPTH)
    if height < root.height + STEP:
        return None
    new_root = get_ancestor(tip, height)
    buried: list[Entry] = []
    stays, excluded = set(strays), list[Entry]()
    current = new_root
    while current is not root and current.link is not None:
        above, current = current, current.link
        buried.append(current)
        stays.update(child for child in current.children if child is not above)
    for stray in tuple(stays):
        if stray.height <= final.height:
            stays.discard(stray)
            excluded += iterate_subtree(stray)
    return Trim(new_root, buried, stays, excluded)


def make_trim_batch(plan: Trim) -> Batch:
    """Return the batch that makes a restart read what the index holds after a trim.

    Headers without bodies that the final block excludes are removed, as they can never be connected.
    """
    root = plan.root.height
    batch: Batch = {schema.META_ROOT: schema.encode_height(root)}
    for stray in plan.strays:
        for entry in iterate_subtree(stray):
            if entry.height <= root:
                batch[schema.stray_key(entry.id)] = schema.encode_height(entry.height)
    for entry in plan.excluded:
        batch[schema.stray_key(entry.id)] = None
        if not entry.has_body:
            batch |= make_erase_batch(entry)
    return batch


def make_erase_batch(entry: Entry) -> Batch:
    """Return the batch that removes a header without a body."""
    keys = (schema.header_key(entry.height, entry.id), schema.height_key(entry.id), schema.stray_key(entry.id))
    return dict.fromkeys((*keys, schema.invalid_key(entry.id)))


def sever(plan: Trim, tip: Entry, below: Below) -> None:
    """Remove the references to entries that leave memory. Each of these then looks up its parent, so that one which a
    reader still holds does not hold the others.
    """
    for entry in (plan.root, *plan.buried):
        if entry.link is not None:
            entry.below = below  # before the link goes, as other threads follow either
            entry.link = entry.skip = None
    for entry in plan.buried:
        entry.children = [child for child in entry.children if child in plan.strays]
    for entry in plan.excluded:
        if entry.link is not None and entry.height <= plan.root.height:
            entry.link.children = [child for child in entry.link.children if child is not entry]
    current = tip
    while current is not plan.root and current.link is not None:
        if current.skip is not None and current.skip.height < plan.root.height:
            current.skip = None
        current = current.link
